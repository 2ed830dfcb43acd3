-- One row: one phase of one work order that stands, corrections and voids heard.
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
    CAST(at AS BIGINT) AS at_us
FROM orders
WHERE ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
GROUP BY
    device, site, kind, work_order, class, phase, waiting_for, planned_from, planned_until, cause_code, at, epoch, seq
HAVING SUM(weight) > 0
