-- One row: one score of the device $device, said since $from_day, as the bytes in which it was told.
SELECT CAST(at AS BIGINT) AS at_us, bytes
FROM facts
WHERE subject = $device AND subject_kind = 'device' AND kind = 'scored' AND verdict = 'new' AND bytes IS NOT NULL
    AND day >= CAST($from_day AS DATE)
ORDER BY at_us
