-- One row: a row of sums with what is up, down and registered; a device heard without being registered
-- counts with the time it was heard. Waits of several orders may overlap: no more is taken out of the
-- unscheduled downtime than there was.
SELECT
    *,
    greatest(registered, up + down) AS total,
    greatest(base_registered, base_up + base_scheduled_down + base_unscheduled_down) AS base_total,
    base_scheduled_down + base_unscheduled_down AS base_down,
    least(base_own_wait + base_supplier_wait + base_facility_wait, base_unscheduled_down) AS base_waited,
    least(base_own_wait + base_facility_wait, base_unscheduled_down) AS base_waited_not_supplier
FROM (
    SELECT *, productive + standby + engineering AS up, scheduled_down + unscheduled_down AS down
    FROM sums
) AS split
