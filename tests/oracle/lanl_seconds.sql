-- One row: one device, how long it was down as recorded and how long up as assumed. Seconds are weighted sums, so that what was
-- withdrawn cancels what it replaced. `other` must be 0: nobody reported anything else.
SELECT
    site,
    device,
    sum(weight * seconds) FILTER (condition = 'unscheduled_down' AND source_kind = 'record' AND NOT assumed) AS down,
    sum(weight * seconds) FILTER (condition = 'standby' AND source_kind = 'assumed' AND assumed) AS up,
    coalesce(sum(abs(weight) * seconds) FILTER (condition NOT IN ('unscheduled_down', 'standby')), 0) AS other
FROM (SELECT *, epoch_us(until_at) // 1000000 - epoch_us(from_at) // 1000000 AS seconds FROM intervals)
GROUP BY site, device
