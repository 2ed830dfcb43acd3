-- One row: a row of sums with what is up, down and registered; a device heard without being registered
-- counts with the time it was heard.
SELECT *, greatest(registered, up + down) AS total
FROM (
    SELECT *, productive + standby + engineering AS up, scheduled_down + unscheduled_down AS down
    FROM sums
) AS split
