-- One row: one wait of one work order for one party; `until_us` null: it still waits. A wait ends where it is
-- said to end, and in any case with the repair, the return to service or the closing of the order. Told again while it
-- lasts, it is the same wait.
SELECT device, work_order, waiting_for, MIN(at_us) AS from_us, until_us
FROM (
    SELECT
        device,
        work_order,
        phase,
        waiting_for,
        at_us,
        MIN(CASE WHEN phase IN ('waiting_ended', 'repaired', 'returned_to_service', 'closed', 'cancelled') THEN at_us END)
            OVER (
                PARTITION BY device, work_order
                ORDER BY at_us, CASE phase WHEN 'waiting_ended' THEN 0 WHEN 'waiting_started' THEN 1 ELSE 2 END
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ) AS until_us
    FROM ({order_phases}) AS phases
) AS ended
WHERE phase = 'waiting_started'
GROUP BY device, work_order, waiting_for, until_us
