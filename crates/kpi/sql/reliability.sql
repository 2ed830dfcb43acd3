-- One row: one device at one site over [$from, $until): what it was in service, what it was up and in use, and how
-- many troubles began. Rates, means between failures and comparisons of sites are made of these, by whoever asks.
WITH spent AS ({uptime}),
episodes AS ({failures}),
counted AS (
    SELECT
        device,
        site,
        SUM(CASE WHEN class = 'failure' THEN 1 ELSE 0 END) AS failures,
        SUM(CASE WHEN class = 'repeat' THEN 1 ELSE 0 END) AS repeats,
        SUM(CASE WHEN class = 'interrupt' THEN 1 ELSE 0 END) AS interrupts,
        SUM(CASE WHEN class = 'failure' AND in_use THEN 1 ELSE 0 END) AS failures_in_use,
        SUM(CASE WHEN class = 'failure' AND down_us = 0 THEN 1 ELSE 0 END) AS failures_without_down
    FROM episodes
    GROUP BY device, site
),
described AS (
    SELECT
        device,
        site,
        MAX(make) AS make,
        MAX(model) AS model,
        MIN(in_service_day) AS in_service_day
    FROM ({in_service}) AS spans
    GROUP BY device, site
)
SELECT
    s.device,
    s.site,
    s.kind,
    d.make,
    d.model,
    d.in_service_day,
    s.in_service_us,
    s.productive_us + s.standby_us + s.engineering_us AS up_us,
    s.productive_us,
    s.scheduled_down_us + s.unscheduled_down_us AS down_us,
    s.unscheduled_down_us,
    coalesce(c.failures, 0) AS failures,
    coalesce(c.repeats, 0) AS repeats,
    coalesce(c.interrupts, 0) AS interrupts,
    coalesce(c.failures_in_use, 0) AS failures_in_use,
    coalesce(c.failures_without_down, 0) AS failures_without_down
FROM spent AS s
LEFT JOIN counted AS c ON c.device = s.device AND c.site = s.site
LEFT JOIN described AS d ON d.device = s.device AND d.site = s.site
ORDER BY s.site, s.kind, s.device
