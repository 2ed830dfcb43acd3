-- One row: one phase of one work order that stands, with the log record that told it.
SELECT * FROM ({order_phases}) AS phases
WHERE ($site = '' OR site = $site)
ORDER BY device, at_us, work_order
