-- One row: one stretch of recorded down that stands in the ledger, in whole seconds, in the order of time.
SELECT device, epoch_us(from_at) // 1000000 AS begins, epoch_us(until_at) // 1000000 AS ends
FROM intervals
WHERE condition = 'unscheduled_down'
GROUP BY ALL
HAVING sum(weight) > 0
