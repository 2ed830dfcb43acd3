-- One row: one device over [$from, $until), in microseconds by condition, from its intervals, plus
-- people's claims that reach beyond its edge. `base_*` count the same within base hours. Silence is no
-- row: what is registered and not known is unknown. `monitored` is 1 for a registered device that was
-- heard or spoken for.
-- $site, $kind and $device narrow the answer; '' is all. A device's time at another site is that site's.
WITH versions AS ({device_versions}),
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
        AND (until_us IS NULL OR (until_us > CAST($from AS BIGINT) AND until_us > from_us))
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
    SELECT device, site, kind, 'registered' AS what, FALSE AS assumed, FALSE AS conflict, 1 AS weight, from_us, until_us
    FROM spans
    UNION ALL
    SELECT device, site, kind, condition, assumed, conflict, weight, from_us, until_us
    FROM told
),
parts AS (
    SELECT
        device,
        site,
        kind,
        what,
        assumed,
        conflict,
        weight * (until_us - from_us) AS us,
        weight * base_micros(site, kind, from_us, until_us) AS base_us
    FROM pieces
)
SELECT
    site,
    kind,
    device,
    CAST(MAX(CASE WHEN what = 'registered' THEN 1 ELSE 0 END) AS BIGINT) AS devices,
    CAST(MAX(CASE WHEN what = 'registered' THEN 1 ELSE 0 END) = 1
        AND SUM(CASE WHEN what NOT IN ('registered', 'unknown') THEN us ELSE 0 END) > 0 AS BIGINT) AS monitored,
    SUM(CASE WHEN what = 'registered' THEN us ELSE 0 END) AS registered,
    SUM(CASE WHEN what = 'productive' THEN us ELSE 0 END) AS productive,
    SUM(CASE WHEN what = 'standby' THEN us ELSE 0 END) AS standby,
    SUM(CASE WHEN what = 'engineering' THEN us ELSE 0 END) AS engineering,
    SUM(CASE WHEN what = 'scheduled_down' THEN us ELSE 0 END) AS scheduled_down,
    SUM(CASE WHEN what = 'unscheduled_down' THEN us ELSE 0 END) AS unscheduled_down,
    SUM(CASE WHEN assumed THEN us ELSE 0 END) AS assumed,
    SUM(CASE WHEN conflict THEN us ELSE 0 END) AS conflict,
    SUM(CASE WHEN what = 'registered' THEN base_us ELSE 0 END) AS base_registered,
    SUM(CASE WHEN what = 'productive' THEN base_us ELSE 0 END) AS base_productive,
    SUM(CASE WHEN what IN ('productive', 'standby', 'engineering') THEN base_us ELSE 0 END) AS base_up,
    SUM(CASE WHEN what IN ('scheduled_down', 'unscheduled_down') THEN base_us ELSE 0 END) AS base_down
FROM parts
GROUP BY site, kind, device
ORDER BY site, kind, device
