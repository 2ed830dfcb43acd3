-- One row: what one model said of the device for one horizon at one instant within ($from, $until], newest first: a score of
-- midnight is there in the hour after it, though the period ends with the last full hour.
SELECT
    device, site, kind, horizon_hours, risk_ppm, component, component_ppm, voice, grounds, model, run,
    CAST(at AS BIGINT) AS at_us
FROM scores
WHERE device = $device AND ($horizon_hours = 0 OR horizon_hours = $horizon_hours)
    AND day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE) + INTERVAL '1' DAY
    AND CAST(at AS BIGINT) > CAST($from AS BIGINT) AND CAST(at AS BIGINT) <= CAST($until AS BIGINT)
ORDER BY at_us DESC, horizon_hours
LIMIT 1000
