-- One row: one piece of down of one device from before what is read, after which nothing says that it worked: what is down
-- within it goes on from here, however long it was silent. Of the few devices of `carried` all of the past is read.
SELECT device, site, kind, from_us, until_us, condition, reason, conflict, told
FROM (
    -- From the newest back: whatever is not older, what began at the same time included.
    SELECT *, MAX(CASE WHEN condition NOT IN ('unscheduled_down', 'scheduled_down') THEN from_us END)
        OVER (PARTITION BY device ORDER BY from_us DESC) AS worked_since_us
    FROM (
        SELECT
            i.device,
            i.site,
            i.kind,
            CAST(i.from_at AS BIGINT) AS from_us,
            CAST(i.until_at AS BIGINT) AS until_us,
            i.condition,
            coalesce(i.reason, '') AS reason,
            i.conflict,
            i.claim OR i.source_kind IN ('person', 'record') AS told
        FROM ({carried}) AS c
        INNER JOIN intervals AS i ON i.device = c.device
        WHERE i.day < CAST($read_from_day AS DATE)
            AND i.condition IN ('unscheduled_down', 'scheduled_down', 'productive', 'standby', 'engineering')
        GROUP BY i.device, i.site, i.kind, i.from_at, i.until_at, i.condition, i.degradation, i.reason, i.source_kind,
            i.assumed, i.conflict, i.claim, i.author
        HAVING SUM(i.weight) > 0
    ) AS stands
) AS followed
WHERE condition IN ('unscheduled_down', 'scheduled_down') AND worked_since_us IS NULL
