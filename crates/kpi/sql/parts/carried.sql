-- One row: one device whose trouble may have begun more than eight days before the period: since then it was down before
-- it was seen to work, or a claim holds it down. A few too many do no harm. Which working times come after a down is seen
-- from sums by day.
SELECT device
FROM (
    SELECT
        i.device,
        i.day,
        MAX(CASE WHEN i.condition IN ('unscheduled_down', 'scheduled_down') THEN 1 ELSE 0 END) AS downs,
        SUM(CASE WHEN i.condition IN ('unscheduled_down', 'scheduled_down') THEN 0
            ELSE i.weight * (CAST(i.until_at AS BIGINT) - CAST(i.from_at AS BIGINT)) END) AS up_us
    FROM asked AS a
    INNER JOIN intervals AS i ON i.device = a.device
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND (i.condition IN ('unscheduled_down', 'scheduled_down')
            OR (i.condition IN ('productive', 'standby', 'engineering') AND i.day < CAST($from_day AS DATE)))
    GROUP BY i.device, i.day
) AS days
GROUP BY device
HAVING MAX(downs) = 1
    AND coalesce(MIN(CASE WHEN downs = 1 THEN day END) <= MIN(CASE WHEN up_us > 0 THEN day END), TRUE)
UNION
SELECT b.subject
FROM asked AS a
INNER JOIN beyond AS b ON b.subject = a.device
WHERE b.role = 'claim'
