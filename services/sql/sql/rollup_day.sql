-- One row: one device in one condition on one local day of its site, in device-microseconds.
SELECT
    device, site, kind, local_day, condition, degradation,
    SUM(micros) AS micros, SUM(assumed_micros) AS assumed_micros, SUM(conflict_micros) AS conflict_micros
FROM rollup_day
GROUP BY month, device, site, kind, local_day, condition, degradation
HAVING SUM(micros) <> 0
