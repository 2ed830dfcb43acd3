-- One row: one UTC day at one site and of one kind within [$from, $until): microseconds in service, and in each condition within the
-- time in service. Days of a site add up to what `uptime` says of it. 86400000000 is a day in microseconds.
WITH standing AS ({heads}),
spans AS ({in_service}),
heard AS ({heard}),
clipped AS ({within_service}),
parts AS (
    SELECT site, kind, condition, weight, from_us, until_us FROM clipped
    UNION ALL
    SELECT site, kind, 'in_service', 1, from_us, until_us FROM spans
    UNION ALL
    -- The inventory knows nothing of a device that nobody ever registered: it was in service while it was heard.
    SELECT site, kind, 'in_service', weight, from_us, until_us FROM clipped WHERE unregistered
),
split AS (
    SELECT *, unnest(range(from_us / 86400000000, (until_us - 1) / 86400000000 + 1)) AS day
    FROM parts
    WHERE until_us > from_us
),
daily AS (
    SELECT
        site,
        kind,
        condition,
        day,
        SUM(weight * (least(until_us, (day + 1) * 86400000000) - greatest(from_us, day * 86400000000))) AS us
    FROM split
    GROUP BY site, kind, condition, day
)
SELECT
    CAST(CAST(day AS INT) AS DATE) AS day,
    site,
    kind,
    SUM(CASE WHEN condition = 'in_service' THEN us ELSE 0 END) AS in_service_us,
    SUM(CASE WHEN condition = 'productive' THEN us ELSE 0 END) AS productive_us,
    SUM(CASE WHEN condition = 'standby' THEN us ELSE 0 END) AS standby_us,
    SUM(CASE WHEN condition = 'engineering' THEN us ELSE 0 END) AS engineering_us,
    SUM(CASE WHEN condition = 'scheduled_down' THEN us ELSE 0 END) AS scheduled_down_us,
    SUM(CASE WHEN condition = 'unscheduled_down' THEN us ELSE 0 END) AS unscheduled_down_us
FROM daily
GROUP BY site, kind, day
HAVING SUM(CASE WHEN us <> 0 THEN 1 ELSE 0 END) > 0
ORDER BY site, kind, day
