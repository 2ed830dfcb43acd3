-- One row: one device in one condition from `from_us` to `until_us`, clipped to [$from, $until). Origin
-- `ledger` is an interval that stands after netting; `claim` what a person claims beyond the edge;
-- `live` what was last heard beyond the edge, up to the agent's last sign of life, and provisional.
-- Gaps are no rows here: whoever draws them asks what lies between.
WITH heads_now AS ({heads}),
agents AS (
    SELECT subject AS agent, MAX(from_us) AS seen_us FROM heads_now WHERE role = 'agent' GROUP BY subject
),
pieces AS (
    SELECT
        'ledger' AS origin,
        CAST(from_at AS BIGINT) AS from_us,
        CAST(until_at AS BIGINT) AS until_us,
        condition,
        degradation,
        reason,
        source_kind,
        assumed,
        conflict,
        claim,
        author
    FROM intervals
    WHERE device = $device AND day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
    GROUP BY from_at, until_at, condition, degradation, reason, source_kind, assumed, conflict, claim, author
    HAVING SUM(weight) > 0
    UNION ALL
    SELECT 'claim', from_us, coalesce(until_us, CAST($until AS BIGINT)), condition, degradation,
        NULL, 'person', FALSE, FALSE, TRUE, author
    FROM heads_now
    WHERE role = 'claim' AND subject = $device
    UNION ALL
    SELECT 'live', greatest(h.from_us, coalesce(h.edge_us, h.from_us)),
        least(coalesce(h.until_us, a.seen_us, h.from_us), CAST($until AS BIGINT)), h.condition, h.degradation,
        NULL, 'device', FALSE, FALSE, FALSE, NULL
    FROM heads_now AS h
    LEFT JOIN agents AS a ON a.agent = h.agent
    WHERE h.role = 'live' AND h.subject = $device
)
SELECT
    origin,
    greatest(from_us, CAST($from AS BIGINT)) AS from_us,
    least(until_us, CAST($until AS BIGINT)) AS until_us,
    condition,
    degradation,
    reason,
    source_kind,
    assumed,
    conflict,
    claim,
    author
FROM pieces
WHERE until_us > CAST($from AS BIGINT) AND from_us < CAST($until AS BIGINT) AND until_us > from_us
ORDER BY from_us, origin
