-- One row: one error code that one device reported within [$from, $until), newest first.
SELECT
    CAST(at AS BIGINT) AS at_us,
    code,
    family,
    severity,
    component,
    text
FROM errors
WHERE device = $device AND day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
    AND CAST(at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(at AS BIGINT) < CAST($until AS BIGINT)
GROUP BY at, code, family, severity, component, text, epoch, seq
HAVING SUM(weight) > 0
ORDER BY at_us DESC, code
