-- One row: one time off line of one device that began within [$from, $until): down, scheduled or not, until
-- something says that it worked or its service ends. Beyond $now nothing is counted; `ended` says whether it had ended. Read as failures
-- are; of the times it worked only sums are kept.
WITH beyond AS ({heads}),
asked AS ({asked}),
told_downs AS (
    SELECT
        i.device,
        i.site,
        i.kind,
        CAST(i.from_at AS BIGINT) AS from_us,
        CAST(i.until_at AS BIGINT) AS until_us,
        i.condition
    FROM asked AS a
    INNER JOIN intervals AS i ON i.device = a.device
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND i.condition IN ('unscheduled_down', 'scheduled_down')
    GROUP BY i.device, i.site, i.kind, i.from_at, i.until_at, i.condition, i.degradation, i.reason, i.source_kind,
        i.assumed, i.conflict, i.claim, i.author
    HAVING SUM(i.weight) > 0
    UNION ALL
    SELECT device, site, kind, from_us, until_us, condition
    FROM ({earlier_downs}) AS earlier
    UNION ALL
    SELECT subject, site, kind, from_us, least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)), condition
    FROM asked AS a
    INNER JOIN beyond AS b ON b.subject = a.device
    WHERE role = 'claim' AND condition IN ('unscheduled_down', 'scheduled_down') AND from_us < CAST($now AS BIGINT)
),
downs AS ({served_downs}),
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
        SUM(CASE WHEN condition = 'unscheduled_down' THEN until_us - from_us ELSE 0 END) AS unscheduled,
        SUM(CASE WHEN condition = 'scheduled_down' THEN until_us - from_us ELSE 0 END) AS scheduled
    FROM numbered
    GROUP BY device, block
),
spaced AS (
    SELECT *, lead(from_us) OVER (PARTITION BY device ORDER BY block) AS next_us FROM blocks
),
ended AS (
    SELECT
        b.device,
        b.block,
        b.site,
        b.kind,
        b.from_us,
        b.until_us,
        b.unscheduled,
        b.scheduled,
        coalesce(SUM(i.weight * (i.until_us - i.from_us)), 0) > 0 AS up_after
    FROM spaced AS b
    LEFT JOIN ({worked}) AS i
        ON i.device = b.device AND i.from_us >= b.from_us AND (b.next_us IS NULL OR i.from_us < b.next_us)
    GROUP BY b.device, b.block, b.site, b.kind, b.from_us, b.until_us, b.unscheduled, b.scheduled
),
islands AS ({down_islands})
SELECT
    device,
    MIN(site) AS site,
    MIN(kind) AS kind,
    MIN(from_us) AS onset_us,
    MAX(until_us) AS until_us,
    SUM(unscheduled) AS unscheduled_us,
    SUM(scheduled) AS scheduled_us,
    bool_or(up_after) AS ended
FROM islands
GROUP BY device, island
HAVING MIN(from_us) >= CAST($from AS BIGINT) AND MIN(from_us) < CAST($until AS BIGINT)
    AND ($site = '' OR MIN(site) = $site)
ORDER BY device, onset_us
