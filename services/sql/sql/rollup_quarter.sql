-- One row: one site and kind in one condition in one UTC quarter-hour, in device-microseconds.
SELECT
    site, kind, quarter_at, condition, degradation,
    SUM(micros) AS micros, SUM(assumed_micros) AS assumed_micros, SUM(conflict_micros) AS conflict_micros
FROM rollup_quarter
GROUP BY month, site, kind, quarter_at, condition, degradation
HAVING SUM(micros) <> 0
