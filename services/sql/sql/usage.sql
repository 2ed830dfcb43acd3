-- One row: one step of one counter of one device, after corrections, in thousandths of `unit`. A step
-- `reset` or `wrapped` says that the gain is a lower bound. `day` prunes files: name it in WHERE.
SELECT
    device, site, kind, day, counter, component, unit, source, at, value_milli, increment_milli, step
FROM usage
GROUP BY
    device, site, kind, day, counter, component, unit, source, at, value_milli, increment_milli, step,
    epoch, seq
HAVING SUM(weight) > 0
