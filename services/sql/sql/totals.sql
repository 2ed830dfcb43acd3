-- One row: a row of sums with what is up and down, all of it within the time in service. Waits lie within the unscheduled
-- downtime of their device, and none overlaps another.
SELECT
    *,
    registered AS total,
    base_registered AS base_total,
    base_scheduled_down + base_unscheduled_down AS base_down,
    base_own_wait + base_supplier_wait + base_facility_wait AS base_waited,
    base_own_wait + base_facility_wait AS base_waited_not_supplier
FROM (
    SELECT *, productive + standby + engineering AS up, scheduled_down + unscheduled_down AS down
    FROM sums
) AS split
