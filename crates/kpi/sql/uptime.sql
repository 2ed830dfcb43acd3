-- One row: one device at one site over [$from, $until), in microseconds by condition, and the same within base hours.
-- People's claims beyond a device's edge are added. Silence is no row: what is in service and not known is unknown.
-- Only what lies within a device's time in service at the site and as the kind that it was heard at counts: not what was
-- heard before it was registered, after it was retired, or elsewhere. The inventory knows nothing of a device that nobody
-- ever registered: it was in service while it was heard.
-- `*_wait_*` is unscheduled down while an order waits for a party, within base hours: what E10 calls facilities downtime and
-- maintenance delay (`own`: us or the user, `supplier`: vendor or parts). Waits of any orders at once are one time of waiting,
-- put down to the facility before us and to us before the supplier, so that the three add up.
WITH beyond AS ({heads}),
spans AS ({in_service}),
service AS (
    SELECT
        device,
        site,
        kind,
        SUM(until_us - from_us) AS in_service_us,
        SUM(base_micros(site, kind, from_us, until_us)) AS base_us
    FROM spans
    GROUP BY device, site, kind
),
heard AS (
    SELECT
        device,
        site,
        kind,
        condition,
        assumed,
        conflict,
        greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT)) AS from_us,
        least(CAST(until_at AS BIGINT), CAST($until AS BIGINT)) AS until_us,
        SUM(weight) AS weight
    FROM intervals
    WHERE day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
        AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT) AND CAST(until_at AS BIGINT) > CAST($from AS BIGINT)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
    GROUP BY device, site, kind, condition, assumed, conflict, from_at, until_at
    UNION ALL
    SELECT
        subject,
        site,
        kind,
        condition,
        FALSE,
        FALSE,
        greatest(from_us, CAST($from AS BIGINT)),
        least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT), CAST($until AS BIGINT)),
        1
    FROM beyond
    WHERE role = 'claim' AND from_us < least(CAST($until AS BIGINT), CAST($now AS BIGINT))
        AND (until_us IS NULL OR until_us > CAST($from AS BIGINT))
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR subject = $device)
),
told AS ({within_service}),
measured AS (
    SELECT
        device,
        site,
        kind,
        condition,
        assumed,
        conflict,
        unregistered,
        weight * (until_us - from_us) AS us,
        weight * base_micros(site, kind, from_us, until_us) AS base_us
    FROM told
    WHERE weight <> 0
),
summed AS (
    SELECT
        device,
        site,
        kind,
        SUM(CASE WHEN condition = 'productive' THEN us ELSE 0 END) AS productive_us,
        SUM(CASE WHEN condition = 'standby' THEN us ELSE 0 END) AS standby_us,
        SUM(CASE WHEN condition = 'engineering' THEN us ELSE 0 END) AS engineering_us,
        SUM(CASE WHEN condition = 'scheduled_down' THEN us ELSE 0 END) AS scheduled_down_us,
        SUM(CASE WHEN condition = 'unscheduled_down' THEN us ELSE 0 END) AS unscheduled_down_us,
        SUM(CASE WHEN unregistered THEN us ELSE 0 END) AS unregistered_us,
        SUM(CASE WHEN unregistered THEN base_us ELSE 0 END) AS unregistered_base_us,
        SUM(CASE WHEN assumed THEN us ELSE 0 END) AS assumed_us,
        SUM(CASE WHEN conflict THEN us ELSE 0 END) AS conflict_us,
        SUM(CASE WHEN condition = 'productive' THEN base_us ELSE 0 END) AS base_productive_us,
        SUM(CASE WHEN condition IN ('productive', 'standby', 'engineering') THEN base_us ELSE 0 END) AS base_up_us,
        SUM(CASE WHEN condition = 'scheduled_down' THEN base_us ELSE 0 END) AS base_scheduled_down_us,
        SUM(CASE WHEN condition = 'unscheduled_down' THEN base_us ELSE 0 END) AS base_unscheduled_down_us,
        SUM(CASE WHEN conflict THEN base_us ELSE 0 END) AS base_conflict_us
    FROM measured
    GROUP BY device, site, kind
),
ranked AS (
    SELECT
        device,
        CASE waiting_for WHEN 'facility' THEN 1 WHEN 'vendor' THEN 3 WHEN 'parts' THEN 3 ELSE 2 END AS rank,
        from_us,
        least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)) AS until_us
    FROM ({order_waits}) AS all_waits
    WHERE from_us < CAST($until AS BIGINT)
),
layered AS (
    -- A wait is in the layer of its rank and in those above: 1 the facility, 2 us and the user too, 3 everybody.
    SELECT *, unnest(range(rank, 4)) AS layer FROM ranked
),
waits AS (
    -- What goes beyond those of its layer that began before it.
    SELECT
        device,
        layer,
        greatest(from_us, MAX(until_us) OVER (
            PARTITION BY device, layer ORDER BY from_us, until_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )) AS from_us,
        until_us
    FROM layered
),
delays AS (
    SELECT
        t.device,
        t.site,
        t.kind,
        w.layer,
        base_micros(t.site, t.kind, greatest(t.from_us, w.from_us), least(t.until_us, w.until_us)) AS base_us
    FROM told AS t
    INNER JOIN waits AS w
        ON w.device = t.device AND w.from_us < t.until_us AND w.until_us > t.from_us AND w.from_us < w.until_us
    WHERE t.condition = 'unscheduled_down' AND t.weight > 0
),
delayed AS (
    SELECT
        device,
        site,
        kind,
        SUM(CASE layer WHEN 1 THEN base_us ELSE 0 END) AS facility_us,
        SUM(CASE layer WHEN 2 THEN base_us WHEN 1 THEN -base_us ELSE 0 END) AS own_us,
        SUM(CASE layer WHEN 3 THEN base_us WHEN 2 THEN -base_us ELSE 0 END) AS supplier_us
    FROM delays
    GROUP BY device, site, kind
)
SELECT
    coalesce(s.device, m.device) AS device,
    coalesce(s.site, m.site) AS site,
    coalesce(s.kind, m.kind) AS kind,
    coalesce(s.in_service_us, m.unregistered_us, 0) AS in_service_us,
    coalesce(s.base_us, m.unregistered_base_us, 0) AS base_us,
    coalesce(m.productive_us, 0) AS productive_us,
    coalesce(m.standby_us, 0) AS standby_us,
    coalesce(m.engineering_us, 0) AS engineering_us,
    coalesce(m.scheduled_down_us, 0) AS scheduled_down_us,
    coalesce(m.unscheduled_down_us, 0) AS unscheduled_down_us,
    coalesce(m.assumed_us, 0) AS assumed_us,
    coalesce(m.conflict_us, 0) AS conflict_us,
    coalesce(m.base_productive_us, 0) AS base_productive_us,
    coalesce(m.base_up_us, 0) AS base_up_us,
    coalesce(m.base_scheduled_down_us, 0) AS base_scheduled_down_us,
    coalesce(m.base_unscheduled_down_us, 0) AS base_unscheduled_down_us,
    coalesce(m.base_conflict_us, 0) AS base_conflict_us,
    coalesce(d.own_us, 0) AS base_own_wait_us,
    coalesce(d.supplier_us, 0) AS base_supplier_wait_us,
    coalesce(d.facility_us, 0) AS base_facility_wait_us
FROM service AS s
FULL JOIN summed AS m ON m.device = s.device AND m.site = s.site AND m.kind = s.kind
LEFT JOIN delayed AS d ON d.device = m.device AND d.site = m.site AND d.kind = m.kind
ORDER BY site, kind, device
