-- One row: one device in one condition from `from_at` to `until_at`, clipped to the period. The rows meet, none overlaps
-- another, and together they are the whole period. Origin `ledger` is an interval that stands after netting, `claim`
-- what a person claims beyond the ledger's edge, `live` what was last heard beyond it, and provisional; where nobody
-- knows the condition is `unknown` and the origin `gap`. Of a device that is not there, there is no row.
-- Each piece is told as its beginning and its end; between two of these the ledger is believed before a claim, and a
-- claim before what was last heard.
WITH told AS ({timeline}),
there AS (
    SELECT device FROM devices WHERE device = $device
    UNION
    SELECT subject FROM heads WHERE subject = $device
),
edges AS (
    SELECT
        CASE WHEN step = 1 THEN from_us ELSE until_us END AS at_us,
        origin,
        step,
        CASE WHEN step = 1 THEN named_struct(
            'condition', condition,
            'degradation', degradation,
            'reason', reason,
            'source_kind', source_kind,
            'assumed', assumed,
            'conflict', conflict,
            'claim', claim,
            'author', author
        ) END AS said
    FROM told
    CROSS JOIN (VALUES (1), (-1)) AS sides(step)
    UNION ALL
    SELECT CAST($from AS BIGINT), 'gap', 0, NULL FROM there
),
steps AS (
    SELECT
        at_us,
        lead(at_us, 1, CAST($until AS BIGINT)) OVER (ORDER BY at_us) AS until_us,
        SUM(CASE WHEN origin = 'ledger' THEN step ELSE 0 END) OVER so_far AS ledger,
        SUM(CASE WHEN origin = 'claim' THEN step ELSE 0 END) OVER so_far AS claimed,
        SUM(CASE WHEN origin = 'live' THEN step ELSE 0 END) OVER so_far AS live,
        last_value(CASE WHEN origin = 'ledger' THEN said END) IGNORE NULLS OVER so_far AS by_ledger,
        last_value(CASE WHEN origin = 'claim' THEN said END) IGNORE NULLS OVER so_far AS by_claim,
        last_value(CASE WHEN origin = 'live' THEN said END) IGNORE NULLS OVER so_far AS by_live
    FROM edges
    WINDOW so_far AS (ORDER BY at_us RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
believed AS (
    SELECT
        at_us,
        until_us,
        CASE WHEN ledger > 0 THEN 'ledger' WHEN claimed > 0 THEN 'claim' WHEN live > 0 THEN 'live' ELSE 'gap' END AS origin,
        CASE WHEN ledger > 0 THEN by_ledger WHEN claimed > 0 THEN by_claim WHEN live > 0 THEN by_live END AS said
    FROM steps
    WHERE until_us > at_us
)
SELECT
    $device AS device,
    origin,
    instant(at_us) AS from_at,
    instant(until_us) AS until_at,
    coalesce(said['condition'], 'unknown') AS condition,
    coalesce(said['degradation'], 'none') AS degradation,
    said['reason'] AS reason,
    said['source_kind'] AS source_kind,
    coalesce(said['assumed'], FALSE) AS assumed,
    coalesce(said['conflict'], FALSE) AS conflict,
    coalesce(said['claim'], FALSE) AS claim,
    said['author'] AS author
FROM believed
ORDER BY at_us
