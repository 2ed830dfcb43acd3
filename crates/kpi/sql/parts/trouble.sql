-- One row: one run of unscheduled down of one device, as long as nothing says that it worked in between: silence
-- ends no failure. A maintenance overrun is none. Read from eight days before the period, so that what began
-- before it is not taken for a beginning, to eight days after it, so that its end is found.
WITH beyond AS ({heads}),
asked AS (
    -- Devices that were ever registered at the site asked about.
    SELECT DISTINCT device
    FROM devices
    WHERE ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
),
downs AS (
    SELECT
        i.device,
        i.site,
        i.kind,
        CAST(i.from_at AS BIGINT) AS from_us,
        CAST(i.until_at AS BIGINT) AS until_us,
        i.claim OR i.source_kind IN ('person', 'record') AS told
    FROM intervals AS i
    INNER JOIN asked AS a ON a.device = i.device
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND i.condition = 'unscheduled_down' AND coalesce(i.reason, '') <> 'maintenance_overrun'
    GROUP BY i.device, i.site, i.kind, i.from_at, i.until_at, i.claim, i.source_kind, i.degradation, i.reason, i.assumed,
        i.conflict, i.author
    HAVING SUM(i.weight) > 0
    UNION ALL
    SELECT subject, site, kind, from_us, least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)), TRUE
    FROM beyond AS b
    INNER JOIN asked AS a ON a.device = b.subject
    WHERE role = 'claim' AND condition = 'unscheduled_down' AND from_us < CAST($now AS BIGINT)
),
marks AS (
    SELECT device, site, kind, from_us, until_us, told, FALSE AS up, FALSE AS productive FROM downs
    UNION ALL
    -- Of devices without trouble nothing is read.
    SELECT
        i.device,
        i.site,
        i.kind,
        CAST(i.from_at AS BIGINT),
        CAST(i.until_at AS BIGINT),
        FALSE,
        TRUE,
        i.condition = 'productive'
    FROM intervals AS i
    INNER JOIN (SELECT DISTINCT device FROM downs) AS d ON d.device = i.device
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
            OVER (PARTITION BY device ORDER BY from_us, until_us ROWS UNBOUNDED PRECEDING) AS island,
        lag(productive) OVER (PARTITION BY device ORDER BY from_us, until_us) AS was_in_use
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
    SUM(i.until_us - i.from_us) AS down_us,
    COUNT(*) AS pieces,
    bool_or(i.told) AS told,
    bool_or(coalesce(i.was_in_use, FALSE)) AS in_use,
    MAX(e.last_island) > i.island AS recovered
FROM islands AS i
INNER JOIN ends AS e ON e.device = i.device
WHERE NOT i.up
GROUP BY i.device, i.island
