-- One row: one phase of one work order, corrections heard. Orders alone change no condition.
SELECT
    device, site, kind, work_order, class, phase, waiting_for, planned_from, planned_until, cause_code, text, at, recorded_at
FROM orders
GROUP BY
    device, site, kind, work_order, class, phase, waiting_for, planned_from, planned_until, cause_code, text, at,
    recorded_at, epoch, seq
HAVING SUM(weight) > 0
