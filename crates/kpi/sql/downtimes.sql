-- One row: one time off line of one device that began within [$from, $until): down, scheduled or not, until
-- something says that it worked. Beyond $now nothing is counted; `ended` says whether it had ended. Read from
-- eight days before to eight days after the period, as failures are.
WITH beyond AS ({heads}),
asked AS (
    -- Devices that were ever registered at the site asked about.
    SELECT DISTINCT device
    FROM devices
    WHERE ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
),
told AS (
    SELECT
        i.device,
        i.site,
        i.kind,
        CAST(i.from_at AS BIGINT) AS from_us,
        CAST(i.until_at AS BIGINT) AS until_us,
        i.condition
    FROM intervals AS i
    INNER JOIN asked AS a ON a.device = i.device
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND i.condition IN ('unscheduled_down', 'scheduled_down')
    GROUP BY i.device, i.site, i.kind, i.from_at, i.until_at, i.condition, i.degradation, i.reason, i.source_kind,
        i.assumed, i.conflict, i.claim, i.author
    HAVING SUM(i.weight) > 0
    UNION ALL
    SELECT subject, site, kind, from_us, least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)), condition
    FROM beyond AS b
    INNER JOIN asked AS a ON a.device = b.subject
    WHERE role = 'claim' AND condition IN ('unscheduled_down', 'scheduled_down') AND from_us < CAST($now AS BIGINT)
),
marks AS (
    SELECT device, site, kind, from_us, until_us, condition, FALSE AS up FROM told
    UNION ALL
    SELECT i.device, i.site, i.kind, CAST(i.from_at AS BIGINT), CAST(i.until_at AS BIGINT), i.condition, TRUE
    FROM intervals AS i
    INNER JOIN (SELECT DISTINCT device FROM told) AS t ON t.device = i.device
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND i.condition IN ('productive', 'standby', 'engineering')
    GROUP BY i.device, i.site, i.kind, i.from_at, i.until_at, i.condition, i.degradation, i.reason, i.source_kind,
        i.assumed, i.conflict, i.claim, i.author
    HAVING SUM(i.weight) > 0
),
islands AS (
    SELECT
        *,
        SUM(CASE WHEN up THEN 1 ELSE 0 END)
            OVER (PARTITION BY device ORDER BY from_us, until_us ROWS UNBOUNDED PRECEDING) AS island
    FROM marks
),
ends AS (
    SELECT device, MAX(island) AS last_island FROM islands GROUP BY device
)
SELECT
    i.device,
    MIN(i.site) AS site,
    MIN(i.kind) AS kind,
    MIN(i.from_us) AS onset_us,
    MAX(i.until_us) AS until_us,
    SUM(CASE WHEN i.condition = 'unscheduled_down' THEN i.until_us - i.from_us ELSE 0 END) AS unscheduled_us,
    SUM(CASE WHEN i.condition = 'scheduled_down' THEN i.until_us - i.from_us ELSE 0 END) AS scheduled_us,
    MAX(e.last_island) > i.island AS ended
FROM islands AS i
INNER JOIN ends AS e ON e.device = i.device
WHERE NOT i.up
GROUP BY i.device, i.island
HAVING MIN(i.from_us) >= CAST($from AS BIGINT) AND MIN(i.from_us) < CAST($until AS BIGINT)
    AND ($site = '' OR MIN(i.site) = $site)
ORDER BY i.device, onset_us
