-- One row: what some entries about one head add up to, where they do not cancel.
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
    author,
    SUM(weight) AS weight
FROM heads
WHERE {condition}
GROUP BY
    subject, role, site, kind, agent, condition, degradation, from_at, until_at, edge_at, author
HAVING SUM(weight) <> 0
