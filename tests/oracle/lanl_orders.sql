-- One row: one phase of one order, with the bytes of its fact as they were archived and the whole second it happened in.
SELECT site, subject, epoch_us("at") // 1000000 AS second, bytes
FROM facts
WHERE kind = 'order' AND verdict = 'new'
