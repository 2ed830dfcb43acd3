-- One row: one planned maintenance of one device that was due within [$from, $until), or was due before and not done
-- when the period began: overdue work is carried until it is done. State at $now: `on_time`, `late`, `overdue` or
-- `not_due`. Due is the end of an order's planned window, else the end of the due day at the site. Done is a
-- completion, else the repair or return told by the order: never its closing on paper. A reason not to do it is none.
-- What falls due while the device is not in service is not due, and nothing is carried beyond its last service. The site is
-- that at which the order was opened, or the maintenance done. It is told and not observed: nothing of it is unknown, and it is due whatever the
-- hours are. `late` is how long after it was due it was done, or has not been done yet.
WITH places AS ({sites}),
done AS (
    SELECT
        m.device,
        m.site,
        m.kind,
        m.procedure,
        m.outcome,
        m.work_order,
        CAST(local_midnight(m.due_day + INTERVAL '1 day', coalesce(p.time_zone, 'UTC')) AS BIGINT) AS due_us,
        CAST(m.at AS BIGINT) AS at_us
    FROM maintenance AS m
    LEFT JOIN places AS p ON p.site = m.site
    WHERE ($kind = '' OR m.kind = $kind) AND ($device = '' OR m.device = $device)
    GROUP BY m.device, m.site, m.kind, m.procedure, m.outcome, m.work_order, m.due_day, m.at, m.epoch, m.seq, p.time_zone
    HAVING SUM(m.weight) > 0
),
by_order AS (
    SELECT
        device,
        work_order,
        MIN(procedure) AS procedure,
        MIN(due_us) AS due_us,
        MIN(CASE WHEN outcome = 'completed' THEN at_us END) AS completed_us,
        MAX(CASE WHEN outcome <> 'completed' THEN outcome END) AS reason
    FROM done
    WHERE work_order IS NOT NULL
    GROUP BY device, work_order
),
ordered AS (
    SELECT
        l.device,
        l.site,
        l.kind,
        coalesce(b.procedure, '') AS procedure,
        l.work_order,
        coalesce(l.planned_until_us, b.due_us) AS due_us,
        coalesce(b.completed_us, l.repaired_us, l.returned_us) AS done_us,
        b.reason
    FROM ({order_lives}) AS l
    LEFT JOIN by_order AS b ON b.device = l.device AND b.work_order = l.work_order
    WHERE l.class IN ('preventive', 'inspection')
),
unordered AS (
    SELECT
        d.device,
        first_value(d.site ORDER BY d.at_us, d.site) AS site,
        MIN(d.kind) AS kind,
        d.procedure,
        CAST(NULL AS VARCHAR) AS work_order,
        d.due_us,
        MIN(CASE WHEN d.outcome = 'completed' THEN d.at_us END) AS done_us,
        MAX(CASE WHEN d.outcome <> 'completed' THEN d.outcome END) AS reason
    FROM done AS d
    LEFT JOIN ordered AS o ON o.device = d.device AND o.work_order = d.work_order
    WHERE o.work_order IS NULL
    GROUP BY d.device, d.procedure, d.due_us
),
dues AS (
    SELECT * FROM ordered
    UNION ALL
    SELECT * FROM unordered
),
service AS ({service_times}),
asked_for AS (
    SELECT d.*
    FROM dues AS d
    LEFT JOIN service AS s
        ON s.device = d.device AND s.from_us < d.due_us AND (s.until_us IS NULL OR s.until_us >= d.due_us)
    LEFT JOIN (
        SELECT device, MAX(coalesce(until_us, 9223372036854775807)) AS until_us FROM service GROUP BY device
    ) AS ending ON ending.device = d.device
    LEFT JOIN ({registered}) AS r ON r.device = d.device
    WHERE r.device IS NULL OR (s.device IS NOT NULL AND (d.due_us >= CAST($from AS BIGINT) OR ending.until_us > CAST($from AS BIGINT)))
)
SELECT
    device,
    site,
    kind,
    {risk_class} AS risk_class,
    procedure,
    work_order,
    due_us,
    CASE WHEN done_us <= CAST($now AS BIGINT) THEN done_us END AS done_us,
    greatest(least(coalesce(done_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)) - due_us, 0) AS late_us,
    reason,
    due_us < CAST($from AS BIGINT) AS carried,
    CASE
        WHEN done_us <= CAST($now AS BIGINT) AND done_us <= due_us THEN 'on_time'
        WHEN done_us <= CAST($now AS BIGINT) THEN 'late'
        WHEN due_us <= CAST($now AS BIGINT) THEN 'overdue'
        ELSE 'not_due'
    END AS state
FROM asked_for
WHERE due_us < CAST($until AS BIGINT) AND ($site = '' OR site = $site)
    AND (due_us >= CAST($from AS BIGINT) OR done_us IS NULL OR done_us >= CAST($from AS BIGINT))
ORDER BY device, due_us, procedure
