-- One row: one part of a device replaced by another, corrections heard.
SELECT device, site, kind, component, old_serial, new_serial, preventive, work_order, at, recorded_at
FROM components
GROUP BY device, site, kind, component, old_serial, new_serial, preventive, work_order, at, recorded_at, epoch, seq
HAVING SUM(weight) > 0
