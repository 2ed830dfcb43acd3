-- One row: one score of one horizon, said within [$from, $until) by any model, however it came out.
SELECT device, site, kind, model, component, CAST(at AS BIGINT) AS at_us, risk_ppm
FROM scores
WHERE horizon_hours = $horizon_hours
    AND day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
    AND CAST(at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(at AS BIGINT) < CAST($until AS BIGINT)
ORDER BY at_us, device
