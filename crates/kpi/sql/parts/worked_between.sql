-- One row: how long one device worked from the beginning of one block of `spaced` to that of the next. Of the many times
-- only the sum is kept.
SELECT
    b.device,
    b.block,
    SUM(i.weight * (CAST(i.until_at AS BIGINT) - CAST(i.from_at AS BIGINT))) AS up_us
FROM spaced AS b
INNER JOIN intervals AS i
    ON i.device = b.device AND CAST(i.from_at AS BIGINT) >= b.from_us
    AND (b.next_us IS NULL OR CAST(i.from_at AS BIGINT) < b.next_us)
WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
    AND i.condition IN ('productive', 'standby', 'engineering')
GROUP BY b.device, b.block
