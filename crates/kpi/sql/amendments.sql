-- One row: what records that the log took on one UTC day, after $closed, changed in [$from, $until) of one device:
-- its microseconds up and down before and after, why, and where the records stand. Claims beyond the edge take part,
-- so that time which a claim supplied and rows now hold is no change.
WITH late AS (
    SELECT
        cause_topic,
        cause_partition,
        cause_offset,
        MIN(appended_at) AS appended_at,
        MAX(CASE kind WHEN 'voided' THEN 4 WHEN 'corrected' THEN 3 WHEN 'clock_step' THEN 2 WHEN 'asserted' THEN 1 ELSE 0 END) AS why
    FROM facts
    WHERE CAST(appended_at AS BIGINT) >= CAST($closed AS BIGINT) AND subject_kind = 'device'
        AND ($device = '' OR subject = $device)
    GROUP BY cause_topic, cause_partition, cause_offset
),
entries AS (
    SELECT
        device,
        site,
        kind,
        condition,
        weight * (least(CAST(until_at AS BIGINT), CAST($until AS BIGINT)) - greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT))) AS us,
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
        weight * (least(coalesce(CAST(until_at AS BIGINT), CAST($until AS BIGINT)), CAST($until AS BIGINT))
            - greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT))),
        cause_topic,
        cause_partition,
        cause_offset
    FROM heads
    WHERE role = 'claim' AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT)
        AND (until_at IS NULL OR CAST(until_at AS BIGINT) > CAST($from AS BIGINT))
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR subject = $device)
),
dated AS (
    SELECT
        e.device,
        e.site,
        e.kind,
        CAST(l.appended_at AS DATE) AS arrived_day,
        SUM(CASE WHEN e.condition IN ('productive', 'standby', 'engineering') THEN e.us ELSE 0 END) AS up_us,
        SUM(CASE WHEN e.condition IN ('scheduled_down', 'unscheduled_down') THEN e.us ELSE 0 END) AS down_us,
        MAX(l.why) AS why,
        MIN(e.cause_partition) AS log_partition,
        MIN(e.cause_offset) AS first_offset,
        MAX(e.cause_offset) AS last_offset
    FROM entries AS e
    LEFT JOIN late AS l
        ON l.cause_topic = e.cause_topic AND l.cause_partition = e.cause_partition AND l.cause_offset = e.cause_offset
    GROUP BY e.device, e.site, e.kind, CAST(l.appended_at AS DATE)
),
running AS (
    SELECT
        *,
        SUM(up_us) OVER (PARTITION BY device, site, kind ORDER BY coalesce(CAST(CAST(arrived_day AS INT) AS BIGINT), -10000000)
            ROWS UNBOUNDED PRECEDING) AS up_after_us,
        SUM(down_us) OVER (PARTITION BY device, site, kind ORDER BY coalesce(CAST(CAST(arrived_day AS INT) AS BIGINT), -10000000)
            ROWS UNBOUNDED PRECEDING) AS down_after_us
    FROM dated
)
SELECT
    device,
    site,
    kind,
    arrived_day,
    CASE why WHEN 4 THEN 'voided' WHEN 3 THEN 'corrected' WHEN 2 THEN 'clock_step' WHEN 1 THEN 'claim' ELSE 'backlog' END AS reason,
    up_after_us - up_us AS up_before_us,
    down_after_us - down_us AS down_before_us,
    up_after_us,
    down_after_us,
    log_partition,
    first_offset,
    last_offset
FROM running
WHERE arrived_day IS NOT NULL AND (up_us <> 0 OR down_us <> 0)
ORDER BY device, site, arrived_day
