-- One row: one work order that was not cancelled, with the first time of each phase (null: not reached) and the site at which
-- it was opened.
SELECT
    device,
    work_order,
    first_value(site ORDER BY at_us, site) AS site,
    MIN(kind) AS kind,
    MIN(class) AS class,
    MIN(at_us) AS opened_us,
    MIN(CASE WHEN phase IN ('arrived', 'remote_connected') THEN at_us END) AS arrived_us,
    MIN(CASE WHEN phase = 'repair_started' THEN at_us END) AS repair_started_us,
    MIN(CASE WHEN phase = 'repaired' THEN at_us END) AS repaired_us,
    MIN(CASE WHEN phase = 'returned_to_service' THEN at_us END) AS returned_us,
    MIN(CASE WHEN phase = 'closed' THEN at_us END) AS closed_us,
    MIN(planned_from_us) AS planned_from_us,
    MIN(planned_until_us) AS planned_until_us,
    MIN(cause_code) AS cause_code
FROM ({order_phases}) AS phases
GROUP BY device, work_order
HAVING SUM(CASE WHEN phase = 'cancelled' THEN 1 ELSE 0 END) = 0
