-- One row: one device of the maintenance export, with the seconds of each condition, its errors and what its counters grew by. Weights
-- are summed, so that what was withdrawn cancels what it replaced.
WITH
    lasted AS (SELECT *, weight * (epoch_us(until_at) - epoch_us(from_at)) // 1000000 AS seconds FROM intervals),
    conditions AS (
        SELECT
            device,
            any_value(site) AS site,
            coalesce(sum(seconds) FILTER (condition = 'standby'), 0) AS standby,
            coalesce(sum(seconds) FILTER (condition = 'productive'), 0) AS productive,
            coalesce(sum(seconds) FILTER (condition = 'scheduled_down'), 0) AS scheduled_down,
            coalesce(sum(seconds) FILTER (condition = 'unscheduled_down'), 0) AS unscheduled_down,
            coalesce(sum(seconds) FILTER (condition IN ('standby', 'productive') AND degradation <> 'none'), 0) AS partial
        FROM lasted
        GROUP BY device
    ),
    failed AS (SELECT device, sum(weight) AS errors FROM errors GROUP BY device),
    counted AS (
        SELECT
            device,
            coalesce(sum(weight * increment_milli) FILTER (counter = 'operation'), 0) AS operation,
            coalesce(sum(weight * increment_milli) FILTER (counter = 'exposures'), 0) AS exposures
        FROM usage
        GROUP BY device
    )
SELECT
    conditions.*,
    coalesce(errors, 0)::BIGINT AS errors,
    coalesce(operation, 0)::BIGINT AS operation,
    coalesce(exposures, 0)::BIGINT AS exposures
FROM conditions
LEFT JOIN failed USING (device)
LEFT JOIN counted USING (device)
ORDER BY device
