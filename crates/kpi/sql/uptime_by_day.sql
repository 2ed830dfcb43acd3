-- One row: one UTC day at one site and of one kind within [$from, $until): devices in service and those of them of which something is
-- known, microseconds in service, and in each condition within the time in service; the same within base hours. Days of a site add up to
-- what `uptime` says of it, but devices do not: most are there every day. 86400000000 is a day in microseconds.
-- Known ÷ in service is coverage, up ÷ in service the worst, and `best_up` ÷ in service the best that uptime may have been.
WITH standing AS ({heads}),
spans AS ({in_service}),
heard AS ({heard}),
clipped AS ({within_service}),
parts AS (
    SELECT device, site, kind, condition, conflict, weight, from_us, until_us FROM clipped
    UNION ALL
    SELECT device, site, kind, 'in_service', FALSE, 1, from_us, until_us FROM spans
    UNION ALL
    -- The inventory knows nothing of a device that nobody ever registered: it was in service while it was heard.
    SELECT device, site, kind, 'in_service', FALSE, weight, from_us, until_us FROM clipped WHERE unregistered
),
split AS (
    SELECT *, unnest(range(from_us / 86400000000, (until_us - 1) / 86400000000 + 1)) AS day
    FROM parts
    WHERE until_us > from_us
),
of_day AS (
    SELECT
        * EXCLUDE (from_us, until_us),
        greatest(from_us, day * 86400000000) AS from_us,
        least(until_us, (day + 1) * 86400000000) AS until_us
    FROM split
),
daily AS (
    SELECT
        device,
        site,
        kind,
        condition,
        conflict,
        day,
        SUM(weight * (until_us - from_us)) AS us,
        SUM(weight * base_micros(site, kind, from_us, until_us)) AS base_us
    FROM of_day
    GROUP BY device, site, kind, condition, conflict, day
),
by_device AS (
    SELECT
        site,
        kind,
        day,
        SUM(CASE WHEN condition = 'in_service' THEN us ELSE 0 END) AS in_service_us,
        SUM(CASE WHEN condition = 'productive' THEN us ELSE 0 END) AS productive_us,
        SUM(CASE WHEN condition = 'standby' THEN us ELSE 0 END) AS standby_us,
        SUM(CASE WHEN condition = 'engineering' THEN us ELSE 0 END) AS engineering_us,
        SUM(CASE WHEN condition = 'scheduled_down' THEN us ELSE 0 END) AS scheduled_down_us,
        SUM(CASE WHEN condition = 'unscheduled_down' THEN us ELSE 0 END) AS unscheduled_down_us,
        SUM(CASE WHEN condition IN ('productive', 'standby', 'engineering') THEN us ELSE 0 END) AS up_us,
        SUM(CASE WHEN condition IN ('scheduled_down', 'unscheduled_down') THEN us ELSE 0 END) AS down_us,
        SUM(CASE WHEN conflict THEN us ELSE 0 END) AS conflict_us,
        SUM(CASE WHEN condition = 'in_service' THEN base_us ELSE 0 END) AS base_us,
        SUM(CASE WHEN condition = 'productive' THEN base_us ELSE 0 END) AS base_productive_us,
        SUM(CASE WHEN condition IN ('productive', 'standby', 'engineering') THEN base_us ELSE 0 END) AS base_up_us,
        SUM(CASE WHEN condition IN ('scheduled_down', 'unscheduled_down') THEN base_us ELSE 0 END) AS base_down_us,
        SUM(CASE WHEN conflict THEN base_us ELSE 0 END) AS base_conflict_us
    FROM daily
    WHERE us <> 0
    GROUP BY device, site, kind, day
)
SELECT
    CAST(CAST(day AS INT) AS DATE) AS day,
    site,
    kind,
    SUM(CASE WHEN in_service_us > 0 THEN 1 ELSE 0 END) AS devices,
    SUM(CASE WHEN in_service_us > 0 AND up_us + down_us > 0 THEN 1 ELSE 0 END) AS monitored,
    SUM(in_service_us) AS in_service_us,
    SUM(up_us + down_us) AS known_us,
    SUM(productive_us) AS productive_us,
    SUM(standby_us) AS standby_us,
    SUM(engineering_us) AS engineering_us,
    SUM(scheduled_down_us) AS scheduled_down_us,
    SUM(unscheduled_down_us) AS unscheduled_down_us,
    SUM(conflict_us) AS conflict_us,
    least(SUM(in_service_us - down_us + conflict_us), SUM(in_service_us)) AS best_up_us,
    SUM(base_us) AS base_us,
    SUM(base_productive_us) AS base_productive_us,
    SUM(base_up_us) AS base_up_us,
    SUM(base_down_us) AS base_down_us,
    least(SUM(base_us - base_down_us + base_conflict_us), SUM(base_us)) AS base_best_up_us
FROM by_device
GROUP BY site, kind, day
ORDER BY site, kind, day
