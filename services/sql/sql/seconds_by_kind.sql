-- One row: one site and kind over [$from, $until), both multiples of a quarter-hour and not past the cut.
-- Device-microseconds by condition: the quarter-hour rollup, plus people's claims that reach beyond a
-- device's edge. `base_*` count the same within base hours. Silence is no row: what is registered and
-- not known is unknown. `monitored` devices were heard or spoken for on a local day of the period.
WITH base AS ({base_hours}),
places AS ({sites}),
versions AS ({device_versions}),
heads_now AS ({heads}),
in_service_spans AS (
    SELECT
        device,
        site,
        kind,
        greatest(from_us, CAST($from AS BIGINT)) AS from_us,
        least(coalesce(until_us, CAST($until AS BIGINT)), CAST($until AS BIGINT)) AS until_us
    FROM versions
    WHERE in_service AND from_us < CAST($until AS BIGINT)
        AND (until_us IS NULL OR until_us > CAST($from AS BIGINT))
),
spans AS (
    SELECT site, kind, from_us, until_us, COUNT(*) AS devices
    FROM in_service_spans
    GROUP BY site, kind, from_us, until_us
),
claims AS (
    SELECT
        subject AS device,
        site,
        kind,
        condition,
        greatest(from_us, CAST($from AS BIGINT)) AS from_us,
        least(coalesce(until_us, CAST($until AS BIGINT)), CAST($until AS BIGINT)) AS until_us
    FROM heads_now
    WHERE role = 'claim' AND from_us < CAST($until AS BIGINT)
        AND (until_us IS NULL OR until_us > CAST($from AS BIGINT))
),
heard AS (
    SELECT r.site, r.kind, r.device
    FROM rollup_day AS r
    INNER JOIN places AS p ON p.site = r.site
    WHERE r.month >= CAST($from_month AS DATE) AND r.condition <> 'unknown'
        AND r.local_day >= local_day(arrow_cast(CAST($from AS BIGINT), 'Timestamp(Microsecond, Some("UTC"))'), p.time_zone)
        AND r.local_day <= local_day(arrow_cast(CAST($until AS BIGINT) - 1, 'Timestamp(Microsecond, Some("UTC"))'), p.time_zone)
    GROUP BY r.site, r.kind, r.device
    HAVING SUM(r.micros) > 0
    UNION
    SELECT site, kind, device FROM claims WHERE condition <> 'unknown'
),
population AS (
    SELECT
        s.site,
        s.kind,
        COUNT(DISTINCT s.device) AS devices,
        COUNT(DISTINCT h.device) AS monitored
    FROM in_service_spans AS s
    LEFT JOIN heard AS h ON h.site = s.site AND h.kind = s.kind AND h.device = s.device
    GROUP BY s.site, s.kind
),
observed AS (
    SELECT
        site,
        kind,
        condition,
        CAST(quarter_at AS BIGINT) / 900000000 AS quarter,
        SUM(micros) AS us,
        SUM(assumed_micros) AS assumed_us,
        SUM(conflict_micros) AS conflict_us
    FROM rollup_quarter
    WHERE month >= CAST($from_month AS DATE)
        AND CAST(quarter_at AS BIGINT) >= CAST($from AS BIGINT)
        AND CAST(quarter_at AS BIGINT) < CAST($until AS BIGINT)
    GROUP BY site, kind, condition, CAST(quarter_at AS BIGINT) / 900000000
),
parts AS (
    SELECT site, kind, 'registered' AS what, devices * (until_us - from_us) AS us, 0 AS base_us, 0 AS assumed_us, 0 AS conflict_us
    FROM spans
    UNION ALL
    SELECT s.site, s.kind, 'registered', 0,
        s.devices * (least(s.until_us, (b.quarter + 1) * 900000000) - greatest(s.from_us, b.quarter * 900000000)), 0, 0
    FROM spans AS s
    INNER JOIN base AS b
        ON b.site = s.site AND b.kind = s.kind
        AND b.quarter * 900000000 < s.until_us AND (b.quarter + 1) * 900000000 > s.from_us
    UNION ALL
    SELECT o.site, o.kind, o.condition, o.us, CASE WHEN b.quarter IS NULL THEN 0 ELSE o.us END, o.assumed_us, o.conflict_us
    FROM observed AS o
    LEFT JOIN base AS b ON b.site = o.site AND b.kind = o.kind AND b.quarter = o.quarter
    UNION ALL
    SELECT site, kind, condition, until_us - from_us, 0, 0, 0
    FROM claims
    UNION ALL
    SELECT c.site, c.kind, c.condition, 0,
        least(c.until_us, (b.quarter + 1) * 900000000) - greatest(c.from_us, b.quarter * 900000000), 0, 0
    FROM claims AS c
    INNER JOIN base AS b
        ON b.site = c.site AND b.kind = c.kind
        AND b.quarter * 900000000 < c.until_us AND (b.quarter + 1) * 900000000 > c.from_us
)
SELECT
    p.site,
    p.kind,
    '' AS device,
    coalesce(MAX(n.devices), 0) AS devices,
    coalesce(MAX(n.monitored), 0) AS monitored,
    {sums}
FROM parts AS p
LEFT JOIN population AS n ON n.site = p.site AND n.kind = p.kind
GROUP BY p.site, p.kind
ORDER BY p.site, p.kind
