-- One row: one corrective order opened in [$from, $until), or one planned maintenance due there or carried into it, of which records came
-- late: they tell what had happened before $closed, and the log took them afterwards. Its clocks, or how it stood, at $closed: as told by
-- then, and by all that is known. Null: it did not count. What happened at $closed or later is news and no amendment. A maintenance also
-- changes where a registration, move or retirement of its device came late: what falls due outside the time in service is not due.
WITH late AS ({late}),
all_orders AS (
    SELECT o.*, l.appended_at, l.why
    FROM orders AS o
    LEFT JOIN late AS l
        ON l.cause_topic = o.cause_topic AND l.cause_partition = o.cause_partition AND l.cause_offset = o.cause_offset
    WHERE CAST(o.at AS BIGINT) < CAST($closed AS BIGINT) AND ($device = '' OR o.device = $device)
),
all_maintenance AS (
    SELECT m.*, l.appended_at, l.why
    FROM maintenance AS m
    LEFT JOIN late AS l
        ON l.cause_topic = m.cause_topic AND l.cause_partition = m.cause_partition AND l.cause_offset = m.cause_offset
    WHERE CAST(m.at AS BIGINT) < CAST($closed AS BIGINT) AND ($device = '' OR m.device = $device)
),
all_devices AS (
    SELECT d.*, l.appended_at, l.why
    FROM devices AS d
    LEFT JOIN late AS l
        ON l.cause_topic = d.cause_topic AND l.cause_partition = d.cause_partition AND l.cause_offset = d.cause_offset
    WHERE ($device = '' OR d.device = $device)
),
repairs_before AS (
    WITH orders AS (SELECT * FROM all_orders WHERE why IS NULL)
    SELECT * FROM ({repairs}) AS answer
),
repairs_after AS (
    WITH orders AS (SELECT * FROM all_orders)
    SELECT * FROM ({repairs}) AS answer
),
pm_before AS (
    WITH orders AS (SELECT * FROM all_orders WHERE why IS NULL),
    maintenance AS (SELECT * FROM all_maintenance WHERE why IS NULL),
    devices AS (SELECT * FROM all_devices WHERE why IS NULL)
    SELECT *, coalesce(work_order, concat(procedure, ' ', CAST(due_us AS VARCHAR))) AS name FROM ({pm}) AS answer
),
pm_after AS (
    WITH orders AS (SELECT * FROM all_orders),
    maintenance AS (SELECT * FROM all_maintenance),
    devices AS (SELECT * FROM all_devices)
    SELECT *, coalesce(work_order, concat(procedure, ' ', CAST(due_us AS VARCHAR))) AS name FROM ({pm}) AS answer
),
changed AS (
    SELECT
        'repair' AS what,
        coalesce(a.device, b.device) AS device,
        coalesce(a.site, b.site) AS site,
        coalesce(a.kind, b.kind) AS kind,
        coalesce(a.work_order, b.work_order) AS work_order,
        CAST(NULL AS VARCHAR) AS procedure,
        coalesce(a.opened_us, b.opened_us) AS at_us,
        CASE WHEN b.finished THEN 'finished' WHEN NOT b.finished THEN 'open' END AS state_before,
        CASE WHEN a.finished THEN 'finished' WHEN NOT a.finished THEN 'open' END AS state_after,
        b.response_us AS response_before_us,
        a.response_us AS response_after_us,
        b.repair_us AS repair_before_us,
        a.repair_us AS repair_after_us,
        b.parts_us AS parts_before_us,
        a.parts_us AS parts_after_us,
        b.vendor_us + b.facility_us + b.own_us AS others_before_us,
        a.vendor_us + a.facility_us + a.own_us AS others_after_us,
        b.turnaround_us AS turnaround_before_us,
        a.turnaround_us AS turnaround_after_us
    FROM repairs_before AS b
    FULL JOIN repairs_after AS a ON a.device = b.device AND a.work_order = b.work_order
    WHERE (b.finished IS DISTINCT FROM a.finished) OR (b.response_us IS DISTINCT FROM a.response_us)
        OR (b.repair_us IS DISTINCT FROM a.repair_us) OR (b.parts_us IS DISTINCT FROM a.parts_us)
        OR (b.vendor_us IS DISTINCT FROM a.vendor_us) OR (b.facility_us IS DISTINCT FROM a.facility_us)
        OR (b.own_us IS DISTINCT FROM a.own_us) OR (b.turnaround_us IS DISTINCT FROM a.turnaround_us)
    UNION ALL
    SELECT
        'maintenance',
        coalesce(a.device, b.device),
        coalesce(a.site, b.site),
        coalesce(a.kind, b.kind),
        coalesce(a.work_order, b.work_order),
        coalesce(a.procedure, b.procedure),
        coalesce(a.due_us, b.due_us),
        b.state,
        a.state,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL
    FROM pm_before AS b
    FULL JOIN pm_after AS a ON a.device = b.device AND a.name = b.name
    WHERE (b.state IS DISTINCT FROM a.state) OR (b.due_us IS DISTINCT FROM a.due_us)
),
causes AS (
    -- The greatest is named: what takes back first, then an order, a maintenance, and last the inventory, whose reasons are ten less.
    SELECT device, work_order, FALSE AS of_service, CASE WHEN why >= 6 THEN why ELSE 1 END AS why, appended_at, cause_partition, cause_offset
    FROM all_orders
    WHERE why IS NOT NULL
    UNION ALL
    SELECT device, work_order, FALSE, CASE WHEN why >= 6 THEN why ELSE 0 END, appended_at, cause_partition, cause_offset
    FROM all_maintenance
    WHERE why IS NOT NULL
    UNION ALL
    SELECT device, NULL, TRUE, CASE WHEN why >= 6 THEN why ELSE why - 10 END, appended_at, cause_partition, cause_offset
    FROM all_devices
    WHERE why IS NOT NULL
)
SELECT
    c.device,
    c.site,
    c.kind,
    c.what,
    c.work_order,
    c.procedure,
    c.at_us,
    CAST(MAX(k.appended_at) AS DATE) AS arrived_day,
    CASE MAX(k.why) WHEN 7 THEN 'voided' WHEN 6 THEN 'corrected' WHEN 1 THEN 'order' WHEN 0 THEN 'maintenance'
        WHEN -6 THEN 'retired' WHEN -7 THEN 'moved' ELSE 'registered' END AS reason,
    c.state_before,
    c.state_after,
    c.response_before_us,
    c.response_after_us,
    c.repair_before_us,
    c.repair_after_us,
    c.parts_before_us,
    c.parts_after_us,
    c.others_before_us,
    c.others_after_us,
    c.turnaround_before_us,
    c.turnaround_after_us,
    MIN(k.cause_partition) AS log_partition,
    MIN(k.cause_offset) AS first_offset,
    MAX(k.cause_offset) AS last_offset
FROM changed AS c
INNER JOIN causes AS k
    ON k.device = c.device AND (k.work_order = c.work_order OR k.work_order IS NULL OR c.work_order IS NULL)
WHERE c.what = 'maintenance' OR NOT k.of_service
GROUP BY
    c.device, c.site, c.kind, c.what, c.work_order, c.procedure, c.at_us, c.state_before, c.state_after, c.response_before_us,
    c.response_after_us, c.repair_before_us, c.repair_after_us, c.parts_before_us, c.parts_after_us, c.others_before_us,
    c.others_after_us, c.turnaround_before_us, c.turnaround_after_us
ORDER BY c.device, c.at_us, c.what, c.work_order
