-- One row: one part of one device at one instant, with what was known of it at that instant. All times are microseconds.
-- A signal counts where `happened_at <= now` and `known_at <= now`: nothing that happened or was heard later can change a row.
WITH
-- One row: one device at one instant.
asked AS (
    SELECT DISTINCT p.device, p.site, i.now, i.bucket
    FROM parts p CROSS JOIN instants i
),
-- One row: one device at one instant and one of the two buckets in which its last 30 days lie.
searched AS (
    SELECT a.device, a.now, a.bucket - k.back AS bucket
    FROM asked a CROSS JOIN (VALUES (0), (1)) AS k(back)
),
-- One row: one signal of the last 30 days that was known.
recent AS (
    SELECT
        s.device, q.now, s.sort, s.part, s.name, s.happened_at, s.amount,
        CAST(q.now - s.happened_at AS DOUBLE) / 86400000000.0 AS days_ago
    FROM searched q
    JOIN signals s ON s.device = q.device AND s.bucket = q.bucket
        AND s.happened_at <= q.now AND s.known_at <= q.now AND s.happened_at > q.now - 2592000000000
),
-- One row: the errors of one part; information is none.
part_errors AS (
    SELECT
        device, now, part,
        count(*) FILTER (WHERE days_ago < 1) AS errors_1d,
        count(*) FILTER (WHERE days_ago < 3) AS errors_3d,
        count(*) FILTER (WHERE days_ago < 7) AS errors_7d,
        count(*) FILTER (WHERE days_ago < 14) AS errors_14d,
        count(*) AS errors_30d,
        min(days_ago) * 24.0 AS hours_since
    FROM recent
    WHERE sort = 'error' AND amount >= 1
    GROUP BY device, now, part
),
-- One row: the device as a whole.
whole AS (
    SELECT
        device, now,
        count(*) FILTER (WHERE sort = 'error' AND days_ago < 1) AS errors_1d,
        count(*) FILTER (WHERE sort = 'error' AND days_ago < 7) AS errors_7d,
        count(*) FILTER (WHERE sort = 'error') AS errors_30d,
        count(*) FILTER (WHERE sort = 'error' AND amount >= 3 AND days_ago < 7) AS major_7d,
        sum(amount) FILTER (WHERE sort = 'in_use' AND days_ago < 7) AS in_use_7d,
        sum(amount) FILTER (WHERE sort = 'in_use') AS in_use_30d,
        count(*) FILTER (WHERE sort = 'stopped' AND days_ago < 7) AS stops_7d,
        count(*) FILTER (WHERE sort = 'stopped') AS stops_30d,
        sum(amount) FILTER (WHERE sort = 'down') AS down_30d
    FROM recent
    GROUP BY device, now
),
-- One row: the errors of one device beside those of all devices of its site.
sites AS (
    SELECT
        a.device, a.now,
        (sum(coalesce(w.errors_1d, 0)) OVER of_site - coalesce(w.errors_1d, 0)) * 1.0
            / nullif(count(*) OVER of_site - 1, 0) AS others_1d
    FROM asked a
    LEFT JOIN whole w ON w.device = a.device AND w.now = a.now
    WINDOW of_site AS (PARTITION BY a.site, a.now)
),
-- One row: one counter of one device, as it was read last and first in the last 30 days.
counters AS (
    SELECT
        device, now, name,
        last_value(amount ORDER BY happened_at) AS value,
        first_value(amount ORDER BY happened_at) AS value_first,
        CAST(max(happened_at) - min(happened_at) AS DOUBLE) / 86400000000.0 AS days
    FROM recent
    WHERE sort = 'reading'
    GROUP BY device, now, name
),
-- One row: what happens seldom to one part, since it was first heard of.
seldom AS (
    SELECT
        a.device, a.now, s.part,
        max(s.happened_at) FILTER (WHERE s.sort = 'maintained') AS maintained,
        max(s.happened_at) FILTER (WHERE s.sort = 'failed') AS failed,
        max(s.happened_at) FILTER (WHERE s.sort IN ('replaced', 'returned')) AS renewed,
        max(s.happened_at) FILTER (WHERE s.sort = 'replaced') AS replaced,
        count(*) FILTER (WHERE s.sort = 'failed' AND s.happened_at > a.now - 31536000000000) AS failures_365d
    FROM asked a
    JOIN signals s ON s.device = a.device AND s.happened_at <= a.now AND s.known_at <= a.now
    WHERE s.sort IN ('maintained', 'failed', 'returned', 'replaced')
    GROUP BY a.device, a.now, s.part
),
-- One row: the same of the device as a whole.
seldom_whole AS (
    SELECT device, now, max(maintained) AS maintained, max(failed) AS failed
    FROM seldom
    GROUP BY device, now
)
SELECT
    p.device,
    p.part_group,
    a.now,
    coalesce(e.errors_1d, 0) AS part_errors_1d,
    coalesce(e.errors_3d, 0) AS part_errors_3d,
    coalesce(e.errors_7d, 0) AS part_errors_7d,
    coalesce(e.errors_14d, 0) AS part_errors_14d,
    coalesce(e.errors_30d, 0) AS part_errors_30d,
    coalesce(e.errors_3d / 3.0 - (e.errors_30d - e.errors_3d) / 27.0, 0) AS part_errors_trend,
    e.hours_since AS hours_since_part_error,
    coalesce(w.errors_1d, 0) AS all_errors_1d,
    coalesce(w.errors_7d, 0) AS all_errors_7d,
    coalesce(w.errors_30d, 0) AS all_errors_30d,
    coalesce(w.major_7d, 0) AS major_errors_7d,
    c.value / p.life AS life_used,
    CASE
        WHEN p.counter IS NOT NULL THEN c.value
        ELSE CAST(a.now - coalesce(s.renewed, p.first_seen) AS DOUBLE) / 86400000000.0
    END AS part_age,
    CASE
        WHEN p.counter IS NULL THEN 1.0
        WHEN c.days > 0 THEN greatest(c.value - c.value_first, 0.0) / c.days
        ELSE 0.0
    END AS part_pace_per_day,
    coalesce(w.in_use_7d, 0) AS productive_hours_7d,
    coalesce(w.in_use_30d, 0) AS productive_hours_30d,
    coalesce(w.stops_7d, 0) AS stops_7d,
    coalesce(w.stops_30d, 0) AS stops_30d,
    coalesce(w.down_30d, 0) AS down_hours_30d,
    CAST(a.now - sw.maintained AS DOUBLE) / 86400000000.0 AS days_since_pm,
    CAST(a.now - sw.failed AS DOUBLE) / 86400000000.0 AS days_since_failure,
    coalesce(s.failures_365d, 0) AS part_failures_365d,
    CAST(a.now - s.replaced AS DOUBLE) / 86400000000.0 AS days_since_replaced,
    CAST(a.now - p.in_service AS DOUBLE) / 86400000000.0 AS device_age_days,
    coalesce(st.others_1d, 0) AS site_errors_per_device_1d
FROM parts p
JOIN asked a ON a.device = p.device
LEFT JOIN part_errors e ON e.device = p.device AND e.now = a.now AND e.part = p.part
LEFT JOIN whole w ON w.device = p.device AND w.now = a.now
LEFT JOIN sites st ON st.device = p.device AND st.now = a.now
LEFT JOIN counters c ON c.device = p.device AND c.now = a.now AND c.name = p.counter
LEFT JOIN seldom s ON s.device = p.device AND s.now = a.now AND s.part = p.part
LEFT JOIN seldom_whole sw ON sw.device = p.device AND sw.now = a.now
-- Sums of floating point depend on the order of rows, and so would a model.
ORDER BY p.device, p.part_group, a.now
