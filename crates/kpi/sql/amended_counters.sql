-- One row: what records that the log took on one UTC day, after $closed, changed for one reason of what one counter of one device gained in
-- [$from, $until): its gain before and after, in thousandths of its unit, how many samples told of it before, and where the records stand.
-- A sample that comes late moves the gain of the one after it too, which is then made by the late record: gains of a closed period may move
-- though nothing was told of it.
WITH late AS ({late}),
dated AS (
    -- Of what was in time no record is named.
    SELECT
        u.device,
        MIN(u.site) AS site,
        MIN(u.kind) AS kind,
        u.counter,
        u.component,
        u.unit,
        u.source,
        CAST(l.appended_at AS DATE) AS arrived_day,
        l.reason,
        SUM(u.weight * u.increment_milli) AS gained_milli,
        SUM(u.weight) AS samples,
        MIN(l.cause_partition) AS log_partition,
        MIN(l.cause_offset) AS first_offset,
        MAX(l.cause_offset) AS last_offset
    FROM usage AS u
    LEFT JOIN late AS l
        ON l.cause_topic = u.cause_topic AND l.cause_partition = u.cause_partition AND l.cause_offset = u.cause_offset
    WHERE u.day >= CAST($from_day AS DATE) AND u.day <= CAST($until_day AS DATE)
        AND CAST(u.at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(u.at AS BIGINT) < CAST($until AS BIGINT)
        AND ($site = '' OR u.site = $site) AND ($kind = '' OR u.kind = $kind) AND ($device = '' OR u.device = $device)
    GROUP BY u.device, u.counter, u.component, u.unit, u.source, CAST(l.appended_at AS DATE), l.reason
),
running AS (
    SELECT
        *,
        SUM(gained_milli) OVER so_far AS gained_after_milli,
        SUM(samples) OVER so_far AS samples_after
    FROM dated
    WINDOW so_far AS (
        PARTITION BY device, counter, component, unit, source ORDER BY coalesce(first_offset, -1) ROWS UNBOUNDED PRECEDING
    )
)
SELECT
    device,
    site,
    kind,
    counter,
    component,
    unit,
    source,
    arrived_day,
    reason,
    gained_after_milli - gained_milli AS gained_before_milli,
    gained_after_milli,
    samples_after - samples AS samples_before,
    log_partition,
    first_offset,
    last_offset
FROM running
WHERE arrived_day IS NOT NULL AND gained_milli <> 0
ORDER BY device, counter, component, source, first_offset
