-- One row: one device over [$from, $until), in microseconds by condition, from its intervals, plus
-- people's claims that reach beyond its edge. $site, $kind and $device narrow the answer; '' is all.
-- The columns mean what they mean in uptime.sql; a device's time at another site is that site's.
WITH base AS ({base_hours}),
versions AS ({device_versions}),
heads_now AS ({heads}),
spans AS (
    SELECT
        device,
        site,
        kind,
        greatest(from_us, CAST($from AS BIGINT)) AS from_us,
        least(coalesce(until_us, CAST($until AS BIGINT)), CAST($until AS BIGINT)) AS until_us
    FROM versions
    WHERE in_service AND from_us < CAST($until AS BIGINT)
        AND (until_us IS NULL OR until_us > CAST($from AS BIGINT))
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
),
told AS (
    SELECT
        device,
        site,
        kind,
        condition,
        assumed,
        conflict,
        weight,
        greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT)) AS from_us,
        least(CAST(until_at AS BIGINT), CAST($until AS BIGINT)) AS until_us
    FROM intervals
    WHERE day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
        AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT) AND CAST(until_at AS BIGINT) > CAST($from AS BIGINT)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
    UNION ALL
    SELECT
        subject,
        site,
        kind,
        condition,
        FALSE,
        FALSE,
        1,
        greatest(from_us, CAST($from AS BIGINT)),
        least(coalesce(until_us, CAST($until AS BIGINT)), CAST($until AS BIGINT))
    FROM heads_now
    WHERE role = 'claim' AND from_us < CAST($until AS BIGINT)
        AND (until_us IS NULL OR until_us > CAST($from AS BIGINT))
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR subject = $device)
),
pieces AS (
    -- One condition of one device by quarter-hour, to meet the base hours.
    SELECT *, unnest(range(from_us / 900000000, (until_us - 1) / 900000000 + 1)) AS quarter
    FROM told
),
cut_pieces AS (
    SELECT
        device,
        site,
        kind,
        condition,
        quarter,
        weight * (least(until_us, (quarter + 1) * 900000000) - greatest(from_us, quarter * 900000000)) AS us,
        assumed,
        conflict
    FROM pieces
),
observed AS (
    SELECT
        device,
        site,
        kind,
        condition,
        quarter,
        SUM(us) AS us,
        SUM(CASE WHEN assumed THEN us ELSE 0 END) AS assumed_us,
        SUM(CASE WHEN conflict THEN us ELSE 0 END) AS conflict_us
    FROM cut_pieces
    GROUP BY device, site, kind, condition, quarter
),
parts AS (
    SELECT device, site, kind, 'registered' AS what, until_us - from_us AS us, 0 AS base_us, 0 AS assumed_us, 0 AS conflict_us
    FROM spans
    UNION ALL
    SELECT s.device, s.site, s.kind, 'registered', 0,
        least(s.until_us, (b.quarter + 1) * 900000000) - greatest(s.from_us, b.quarter * 900000000), 0, 0
    FROM spans AS s
    INNER JOIN base AS b
        ON b.site = s.site AND b.kind = s.kind
        AND b.quarter * 900000000 < s.until_us AND (b.quarter + 1) * 900000000 > s.from_us
    UNION ALL
    SELECT o.device, o.site, o.kind, o.condition, o.us,
        CASE WHEN b.quarter IS NULL THEN 0 ELSE o.us END, o.assumed_us, o.conflict_us
    FROM observed AS o
    LEFT JOIN base AS b ON b.site = o.site AND b.kind = o.kind AND b.quarter = o.quarter
)
SELECT
    site,
    kind,
    device,
    CAST(MAX(CASE WHEN what = 'registered' THEN 1 ELSE 0 END) AS BIGINT) AS devices,
    CAST(MAX(CASE WHEN what NOT IN ('registered', 'unknown') AND us > 0 THEN 1 ELSE 0 END) AS BIGINT) AS monitored,
    {sums}
FROM parts
GROUP BY site, kind, device
ORDER BY site, kind, device
