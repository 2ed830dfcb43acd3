-- One row: what records that the log took on one UTC day, after $closed, changed for one reason in [$from, $until) of one device at one
-- site: its microseconds in service, up and down before and after, and where the records stand. Only what lies within the time in service
-- counts, and that time itself may be told late. What was heard and when a device was in service are entries, each with the record that
-- made it so; what two of them say together is known with the later record. Until somebody registers a device, all that is heard of
-- it counts. Claims beyond the edge take part, so that time which a claim supplied and rows now hold is no change.
WITH late AS ({late}),
entries AS (
    SELECT
        device,
        site,
        kind,
        condition,
        weight,
        greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT)) AS from_us,
        least(CAST(until_at AS BIGINT), CAST($until AS BIGINT)) AS until_us,
        cause_topic,
        cause_partition,
        cause_offset
    FROM intervals
    WHERE day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
        AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT) AND CAST(until_at AS BIGINT) > CAST($from AS BIGINT)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
    UNION ALL
    SELECT
        subject,
        site,
        kind,
        condition,
        weight,
        greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT)),
        least(coalesce(CAST(until_at AS BIGINT), CAST($until AS BIGINT)), CAST($until AS BIGINT)),
        cause_topic,
        cause_partition,
        cause_offset
    FROM heads
    WHERE role = 'claim' AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT)
        AND (until_at IS NULL OR CAST(until_at AS BIGINT) > CAST($from AS BIGINT))
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR subject = $device)
),
heard AS (
    -- Of what was in time no record is named.
    SELECT e.* EXCLUDE (cause_topic, cause_partition, cause_offset), l.appended_at, l.reason, l.cause_partition, l.cause_offset
    FROM entries AS e
    LEFT JOIN late AS l
        ON l.cause_topic = e.cause_topic AND l.cause_partition = e.cause_partition AND l.cause_offset = e.cause_offset
),
versions AS (
    SELECT
        d.device,
        d.site,
        d.kind,
        d.in_service,
        d.weight,
        CAST(d.valid_from AS BIGINT) AS from_us,
        coalesce(CAST(d.valid_until AS BIGINT), CAST($until AS BIGINT)) AS until_us,
        l.appended_at,
        l.reason,
        l.cause_partition,
        l.cause_offset
    FROM devices AS d
    LEFT JOIN late AS l
        ON l.cause_topic = d.cause_topic AND l.cause_partition = d.cause_partition AND l.cause_offset = d.cause_offset
    WHERE ($device = '' OR d.device = $device)
),
inventory AS (
    -- How many versions of a device stood after each late record about it, and after all that was in time.
    SELECT
        *,
        SUM(added) OVER (PARTITION BY device ORDER BY coalesce(cause_offset, -1) ROWS UNBOUNDED PRECEDING) AS standing
    FROM (
        SELECT device, appended_at, reason, cause_partition, cause_offset, SUM(weight) AS added
        FROM versions
        GROUP BY device, appended_at, reason, cause_partition, cause_offset
    ) AS recorded
),
spans AS (
    SELECT
        device,
        site,
        kind,
        FALSE AS unregistered,
        weight,
        greatest(from_us, CAST($from AS BIGINT)) AS from_us,
        least(until_us, CAST($until AS BIGINT)) AS until_us,
        appended_at,
        reason,
        cause_partition,
        cause_offset
    FROM versions
    WHERE in_service AND from_us < CAST($until AS BIGINT) AND until_us > CAST($from AS BIGINT)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind)
    UNION ALL
    SELECT h.device, NULL, NULL, TRUE, 1, CAST($from AS BIGINT), CAST($until AS BIGINT), NULL, NULL, NULL, NULL
    FROM (SELECT DISTINCT device FROM heard) AS h
    LEFT ANTI JOIN inventory AS i ON i.device = h.device AND i.cause_offset IS NULL AND i.standing > 0
    UNION ALL
    SELECT
        device,
        NULL,
        NULL,
        TRUE,
        CASE WHEN standing > 0 THEN -1 ELSE 1 END,
        CAST($from AS BIGINT),
        CAST($until AS BIGINT),
        appended_at,
        reason,
        cause_partition,
        cause_offset
    FROM inventory
    WHERE cause_offset IS NOT NULL AND (standing > 0) <> (standing > added)
),
paired AS (
    SELECT
        h.device,
        h.site,
        h.kind,
        h.condition,
        s.unregistered,
        h.weight * s.weight * (least(h.until_us, s.until_us) - greatest(h.from_us, s.from_us)) AS us,
        CASE WHEN s.cause_offset > coalesce(h.cause_offset, -1) THEN s.appended_at ELSE h.appended_at END AS appended_at,
        CASE WHEN s.cause_offset > coalesce(h.cause_offset, -1) THEN s.reason ELSE h.reason END AS reason,
        CASE WHEN s.cause_offset > coalesce(h.cause_offset, -1) THEN s.cause_partition ELSE h.cause_partition END AS cause_partition,
        CASE WHEN s.cause_offset > coalesce(h.cause_offset, -1) THEN s.cause_offset ELSE h.cause_offset END AS cause_offset
    FROM heard AS h
    INNER JOIN spans AS s
        ON s.device = h.device AND (s.unregistered OR (s.site = h.site AND s.kind = h.kind))
        AND s.from_us < h.until_us AND s.until_us > h.from_us
    UNION ALL
    SELECT
        device,
        site,
        kind,
        'in_service',
        FALSE,
        weight * (until_us - from_us),
        appended_at,
        reason,
        cause_partition,
        cause_offset
    FROM spans
    WHERE NOT unregistered
),
dated AS (
    SELECT
        device,
        site,
        kind,
        CAST(appended_at AS DATE) AS arrived_day,
        reason,
        SUM(CASE WHEN condition = 'in_service' OR (unregistered AND condition <> 'unknown') THEN us ELSE 0 END) AS in_service_us,
        SUM(CASE WHEN condition IN ('productive', 'standby', 'engineering') THEN us ELSE 0 END) AS up_us,
        SUM(CASE WHEN condition IN ('scheduled_down', 'unscheduled_down') THEN us ELSE 0 END) AS down_us,
        MIN(cause_partition) AS log_partition,
        MIN(cause_offset) AS first_offset,
        MAX(cause_offset) AS last_offset
    FROM paired
    GROUP BY device, site, kind, CAST(appended_at AS DATE), reason
),
running AS (
    SELECT
        *,
        SUM(in_service_us) OVER so_far AS in_service_after_us,
        SUM(up_us) OVER so_far AS up_after_us,
        SUM(down_us) OVER so_far AS down_after_us
    FROM dated
    WINDOW so_far AS (PARTITION BY device, site, kind ORDER BY coalesce(first_offset, -1) ROWS UNBOUNDED PRECEDING)
)
SELECT
    device,
    site,
    kind,
    arrived_day,
    reason,
    in_service_after_us - in_service_us AS in_service_before_us,
    up_after_us - up_us AS up_before_us,
    down_after_us - down_us AS down_before_us,
    in_service_after_us,
    up_after_us,
    down_after_us,
    log_partition,
    first_offset,
    last_offset
FROM running
WHERE arrived_day IS NOT NULL AND (in_service_us <> 0 OR up_us <> 0 OR down_us <> 0)
ORDER BY device, site, first_offset
