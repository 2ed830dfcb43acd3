-- One row: what is believed of one subject beyond the edge of its ledger (see the table `heads`).
SELECT
    subject,
    role,
    site,
    kind,
    agent,
    condition,
    degradation,
    CAST(from_at AS BIGINT) AS from_us,
    CAST(until_at AS BIGINT) AS until_us,
    CAST(edge_at AS BIGINT) AS edge_us,
    author
FROM heads
GROUP BY
    subject, role, site, kind, agent, condition, degradation, from_at, until_at, edge_at, author
HAVING SUM(weight) > 0
