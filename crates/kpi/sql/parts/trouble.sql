-- One row: one run of unscheduled down of one device, as long as nothing says that it worked in between: silence
-- ends no failure. A maintenance overrun is none. In use: it was in use when last seen within the day before. Read from
-- eight days before the period, so that what began before it is not taken for a beginning, to eight days after it, so
-- that its end is found. Of the many times it worked only sums are kept; the small side of a join comes first.
WITH beyond AS ({heads}),
asked AS ({asked}),
downs AS (
    SELECT
        i.device,
        i.site,
        i.kind,
        CAST(i.from_at AS BIGINT) AS from_us,
        CAST(i.until_at AS BIGINT) AS until_us,
        i.claim OR i.source_kind IN ('person', 'record') AS told
    FROM asked AS a
    INNER JOIN intervals AS i ON i.device = a.device
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND i.condition = 'unscheduled_down' AND coalesce(i.reason, '') <> 'maintenance_overrun'
    GROUP BY i.device, i.site, i.kind, i.from_at, i.until_at, i.claim, i.source_kind, i.degradation, i.reason, i.assumed,
        i.conflict, i.author
    HAVING SUM(i.weight) > 0
    UNION ALL
    SELECT subject, site, kind, from_us, least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)), TRUE
    FROM asked AS a
    INNER JOIN beyond AS b ON b.subject = a.device
    WHERE role = 'claim' AND condition = 'unscheduled_down' AND from_us < CAST($now AS BIGINT)
),
numbered AS ({numbered_downs}),
blocks AS (
    -- What touches is one: the ledger cuts at hours.
    SELECT
        device,
        block,
        MIN(site) AS site,
        MIN(kind) AS kind,
        MIN(from_us) AS from_us,
        MAX(until_us) AS until_us,
        SUM(until_us - from_us) AS down_us,
        COUNT(*) AS pieces,
        bool_or(told) AS told
    FROM numbered
    GROUP BY device, block
),
spaced AS (
    SELECT *, lead(from_us) OVER (PARTITION BY device ORDER BY block) AS next_us FROM blocks
),
worked AS ({worked_between}),
seen AS (
    SELECT b.device, b.block, CAST(i.from_at AS BIGINT) AS from_us, i.condition = 'productive' AS productive
    FROM spaced AS b
    INNER JOIN intervals AS i
        ON i.device = b.device AND CAST(i.from_at AS BIGINT) < b.from_us
        AND CAST(i.from_at AS BIGINT) >= b.from_us - 86400000000
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND i.condition IN ('productive', 'standby', 'engineering')
    GROUP BY b.device, b.block, i.from_at, i.until_at, i.condition
    HAVING SUM(i.weight) > 0
),
used AS (
    -- The last of them decides: an even number is no use, an odd one is.
    SELECT device, block, MAX(from_us * 2 + CASE WHEN productive THEN 1 ELSE 0 END) % 2 = 1 AS in_use
    FROM seen
    GROUP BY device, block
),
ended AS (
    SELECT b.*, coalesce(w.up_us, 0) > 0 AS up_after, coalesce(u.in_use, FALSE) AS in_use
    FROM spaced AS b
    LEFT JOIN worked AS w ON w.device = b.device AND w.block = b.block
    LEFT JOIN used AS u ON u.device = b.device AND u.block = b.block
),
islands AS ({down_islands})
SELECT
    device,
    MIN(site) AS site,
    MIN(kind) AS kind,
    MIN(from_us) AS onset_us,
    MAX(until_us) AS until_us,
    SUM(down_us) AS down_us,
    SUM(pieces) AS pieces,
    bool_or(told) AS told,
    bool_or(in_use AND coalesce(up_before, TRUE)) AS in_use,
    bool_or(up_after) AS recovered
FROM islands
GROUP BY device, island
