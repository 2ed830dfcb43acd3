-- One row: one device at one site over [$from, $until): what it was in service, what it was up and in use, and how
-- many troubles began. Rates, means between failures and comparisons of sites are made of these, by whoever asks.
-- Time in each condition is added up straight from the entries, corrections cancelling what they replace, within the time
-- in service; `uptime` says the same, and base hours of each condition beside it. Known ÷ in service is coverage; up lies between `up` and
-- `best_up`. Failures have no such bounds: what nobody saw may hide any number of them.
WITH standing AS ({heads}),
spans AS ({in_service}),
service AS (
    SELECT
        device,
        site,
        kind,
        MAX(make) AS make,
        MAX(model) AS model,
        MIN(in_service_day) AS in_service_day,
        SUM(until_us - from_us) AS in_service_us,
        SUM(base_micros(site, kind, from_us, until_us)) AS base_us
    FROM spans
    GROUP BY device, site, kind
),
heard AS ({heard}),
clipped AS ({within_service}),
told AS (
    SELECT
        device,
        site,
        kind,
        condition,
        conflict,
        unregistered,
        SUM(weight * (until_us - from_us)) AS us,
        SUM(CASE WHEN unregistered THEN weight * base_micros(site, kind, from_us, until_us) ELSE 0 END) AS base_us
    FROM clipped
    GROUP BY device, site, kind, condition, conflict, unregistered
),
summed AS (
    SELECT
        device,
        site,
        kind,
        SUM(CASE WHEN condition IN ('productive', 'standby', 'engineering') THEN us ELSE 0 END) AS up_us,
        SUM(CASE WHEN condition = 'productive' THEN us ELSE 0 END) AS productive_us,
        SUM(CASE WHEN unregistered THEN us ELSE 0 END) AS unregistered_us,
        SUM(base_us) AS unregistered_base_us,
        SUM(CASE WHEN conflict THEN us ELSE 0 END) AS conflict_us,
        SUM(CASE WHEN condition IN ('scheduled_down', 'unscheduled_down') THEN us ELSE 0 END) AS down_us,
        SUM(CASE WHEN condition = 'unscheduled_down' THEN us ELSE 0 END) AS unscheduled_down_us
    FROM told
    WHERE us <> 0
    GROUP BY device, site, kind
),
spent AS (
    SELECT
        coalesce(s.device, m.device) AS device,
        coalesce(s.site, m.site) AS site,
        coalesce(s.kind, m.kind) AS kind,
        s.make,
        s.model,
        s.in_service_day,
        coalesce(s.in_service_us, m.unregistered_us, 0) AS in_service_us,
        coalesce(s.base_us, m.unregistered_base_us, 0) AS base_us,
        coalesce(m.conflict_us, 0) AS conflict_us,
        coalesce(m.up_us, 0) AS up_us,
        coalesce(m.productive_us, 0) AS productive_us,
        coalesce(m.down_us, 0) AS down_us,
        coalesce(m.unscheduled_down_us, 0) AS unscheduled_down_us
    FROM service AS s
    FULL JOIN summed AS m ON m.device = s.device AND m.site = s.site AND m.kind = s.kind
),
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
)
SELECT
    s.device,
    s.site,
    s.kind,
    s.make,
    s.model,
    s.in_service_day,
    s.in_service_us,
    s.base_us,
    s.up_us + s.down_us AS known_us,
    s.up_us,
    least(s.in_service_us - s.down_us + s.conflict_us, s.in_service_us) AS best_up_us,
    s.productive_us,
    s.down_us,
    s.unscheduled_down_us,
    coalesce(c.failures, 0) AS failures,
    coalesce(c.repeats, 0) AS repeats,
    coalesce(c.interrupts, 0) AS interrupts,
    coalesce(c.failures_in_use, 0) AS failures_in_use,
    coalesce(c.failures_without_down, 0) AS failures_without_down
FROM spent AS s
LEFT JOIN counted AS c ON c.device = s.device AND c.site = s.site
ORDER BY s.site, s.kind, s.device
