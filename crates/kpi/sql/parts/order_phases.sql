-- One row: one phase of one work order that stands, with the log record that told it. Of whatever site: an order goes with its device,
-- and may end where it was not opened.
SELECT
    device,
    site,
    kind,
    work_order,
    class,
    phase,
    waiting_for,
    CAST(planned_from AS BIGINT) AS planned_from_us,
    CAST(planned_until AS BIGINT) AS planned_until_us,
    cause_code,
    text,
    CAST(at AS BIGINT) AS at_us,
    CAST(recorded_at AS BIGINT) AS recorded_us,
    MAX(CASE WHEN weight > 0 THEN cause_partition END) AS log_partition,
    MAX(CASE WHEN weight > 0 THEN cause_offset END) AS log_offset
FROM orders
WHERE ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
GROUP BY
    device, site, kind, work_order, class, phase, waiting_for, planned_from, planned_until, cause_code, text, at,
    recorded_at, epoch, seq
HAVING SUM(weight) > 0
