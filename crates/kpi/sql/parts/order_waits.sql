-- One row: one wait of one work order for one party; `until_us` null: it still waits. A wait ends where that of its party
-- is said to end, or one of nobody in particular, and in any case with the repair, the return to service or the closing of
-- the order. Told again while it lasts, it is the same wait. A cancelled order waits for nobody.
SELECT device, work_order, waiting_for, MIN(at_us) AS from_us, until_us
FROM (
    -- Of each row what comes after it; that the order was cancelled comes before all, so that every row knows.
    SELECT
        device,
        work_order,
        phase,
        waiting_for,
        at_us,
        least(
            MIN(CASE WHEN phase = 'waiting_ended' THEN at_us END)
                OVER (PARTITION BY device, work_order, waiting_for ORDER BY at_us DESC),
            MIN(CASE WHEN phase IN ('repaired', 'returned_to_service', 'closed')
                OR (phase = 'waiting_ended' AND waiting_for IS NULL) THEN at_us END)
                OVER (PARTITION BY device, work_order ORDER BY phase = 'cancelled' DESC, at_us DESC)
        ) AS until_us,
        bool_or(phase = 'cancelled')
            OVER (PARTITION BY device, work_order ORDER BY phase = 'cancelled' DESC, at_us DESC) AS cancelled
    FROM ({order_phases}) AS phases
) AS ended
WHERE phase = 'waiting_started' AND NOT cancelled AND coalesce(until_us > at_us, TRUE)
GROUP BY device, work_order, waiting_for, until_us
