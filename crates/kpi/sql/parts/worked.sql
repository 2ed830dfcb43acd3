-- One row: one entry that says that one device worked, from eight days before the period to now.
SELECT
    device,
    condition,
    CAST(from_at AS BIGINT) AS from_us,
    CAST(until_at AS BIGINT) AS until_us,
    weight
FROM intervals
WHERE day >= CAST($read_from_day AS DATE) AND day <= CAST($read_until_day AS DATE)
    AND condition IN ('productive', 'standby', 'engineering')
