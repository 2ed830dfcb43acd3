-- One row: one piece of planned maintenance that was done, or was not and why, corrections heard.
SELECT device, site, kind, procedure, due_day, outcome, work_order, at, recorded_at
FROM maintenance
GROUP BY device, site, kind, procedure, due_day, outcome, work_order, at, recorded_at, epoch, seq
HAVING SUM(weight) > 0
