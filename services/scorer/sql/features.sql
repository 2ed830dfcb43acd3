-- One row: one part of one device at one instant, with what was known of it at that instant. All times are microseconds.
-- A signal counts where `happened_at <= now` and `known_at <= now`: nothing that happened or was heard later can change a row.
WITH
-- One row: one device at one instant, if it was known by then.
asked AS (
    SELECT DISTINCT p.device, p.site, i.now, i.bucket
    FROM parts p JOIN instants i ON i.now >= p.known_from AND i.now < p.known_until
),
-- One row: one device at one instant and one of the two buckets in which its last 30 days lie.
searched AS (
    SELECT a.device, a.now, a.bucket - k.back AS bucket
    FROM asked a CROSS JOIN (VALUES (0), (1)) AS k(back)
),
-- One row: one signal of the last 30 days that was known.
recent AS (
    SELECT
        s.device, q.now, s.sort, s.part, s.name, s.happened_at, s.known_at, s.amount,
        CAST(q.now - s.happened_at AS DOUBLE) / 86400000000.0 AS days_ago
    FROM searched q
    JOIN signals s ON s.device = q.device AND s.bucket = q.bucket
        AND s.happened_at <= q.now AND s.known_at <= q.now AND s.happened_at > q.now - 2592000000000
),
-- One row: one failure of one part, with its onset as it was known last.
failures AS (
    SELECT a.device, a.now, s.part, last_value(s.happened_at ORDER BY s.known_at) AS onset
    FROM asked a
    JOIN signals s ON s.device = a.device AND s.happened_at <= a.now AND s.known_at <= a.now
    WHERE s.sort = 'failed'
    GROUP BY a.device, a.now, s.part, s.name
),
-- One row: the failures of one part.
part_failures AS (
    SELECT
        device, now, part,
        max(onset) AS failed,
        count(*) FILTER (WHERE onset > now - 31536000000000) AS failures_365d
    FROM failures
    GROUP BY device, now, part
),
-- One row: what else happens seldom to one part, since it was first heard of; part '' is the device as a whole.
seldom AS (
    SELECT
        a.device, a.now, s.part,
        max(s.happened_at) FILTER (WHERE s.sort = 'maintained') AS maintained,
        max(s.happened_at) FILTER (WHERE s.sort IN ('replaced', 'returned')) AS renewed,
        max(s.happened_at) FILTER (WHERE s.sort = 'replaced') AS replaced,
        min(s.happened_at) FILTER (WHERE s.sort = 'seen') AS first_seen,
        last_value(s.amount ORDER BY s.happened_at, s.known_at) FILTER (WHERE s.sort = 'in_service') AS in_service_day
    FROM asked a
    JOIN signals s ON s.device = a.device AND s.happened_at <= a.now AND s.known_at <= a.now
    WHERE s.sort IN ('maintained', 'returned', 'replaced', 'seen', 'in_service')
    GROUP BY a.device, a.now, s.part
),
-- One row: when the life of one part began that it lives now.
lives AS (
    SELECT s.device, s.now, s.part, greatest(f.failed, s.replaced) AS began
    FROM seldom s LEFT JOIN part_failures f ON f.device = s.device AND f.now = s.now AND f.part = s.part
    UNION ALL
    SELECT f.device, f.now, f.part, f.failed AS began
    FROM part_failures f LEFT ANTI JOIN seldom s ON f.device = s.device AND f.now = s.now AND f.part = s.part
),
-- One row: the errors of one family of one part; information is none.
families AS (
    SELECT
        r.device, r.now, r.part, r.name,
        count(*) FILTER (WHERE days_ago < 0.25) AS errors_6h,
        count(*) FILTER (WHERE days_ago < 1) AS errors_1d,
        count(*) FILTER (WHERE days_ago < 3) AS errors_3d,
        count(*) FILTER (WHERE days_ago < 7) AS errors_7d,
        count(*) FILTER (WHERE days_ago < 14) AS errors_14d,
        count(*) AS errors_30d,
        count(*) FILTER (WHERE amount >= 3 AND days_ago < 1) AS major_1d,
        count(*) FILTER (WHERE amount >= 3 AND days_ago < 3) AS major_3d,
        count(*) FILTER (WHERE amount >= 3 AND days_ago < 7) AS major_7d,
        count(*) FILTER (WHERE amount >= 3 AND days_ago < 14) AS major_14d,
        count(*) FILTER (WHERE amount >= 3) AS major_30d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 0.25) AS life_6h,
        count(*) FILTER (WHERE of_this_life AND days_ago < 0.5) AS life_12h,
        count(*) FILTER (WHERE of_this_life AND days_ago < 1) AS life_1d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 2) AS life_2d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 3) AS life_3d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 5) AS life_5d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 7) AS life_7d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 10) AS life_10d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 14) AS life_14d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 20) AS life_20d,
        count(*) FILTER (WHERE of_this_life AND days_ago < 30) AS life_30d,
        min(days_ago) AS days_ago
    FROM (
        SELECT r.*, coalesce(r.happened_at > l.began, true) AS of_this_life
        FROM recent r LEFT JOIN lives l ON l.device = r.device AND l.now = r.now AND l.part = r.part
        WHERE r.sort = 'error' AND r.amount >= 1
    ) r
    GROUP BY r.device, r.now, r.part, r.name
),
-- One row: what one device told of its families by name, whatever part their errors were told of.
named AS (
    SELECT
        device, now,
        array_agg(named_struct(
            'family', name,
            'family_errors_1d', errors_1d, 'family_errors_3d', errors_3d, 'family_errors_7d', errors_7d,
            'family_errors_14d', errors_14d, 'family_errors_30d', errors_30d,
            'family_major_errors_1d', major_1d, 'family_major_errors_3d', major_3d, 'family_major_errors_7d', major_7d,
            'family_major_errors_14d', major_14d, 'family_major_errors_30d', major_30d
        ) ORDER BY name) AS families
    FROM (
        SELECT
            device, now, name,
            sum(errors_1d) AS errors_1d, sum(errors_3d) AS errors_3d, sum(errors_7d) AS errors_7d,
            sum(errors_14d) AS errors_14d, sum(errors_30d) AS errors_30d,
            sum(major_1d) AS major_1d, sum(major_3d) AS major_3d, sum(major_7d) AS major_7d,
            sum(major_14d) AS major_14d, sum(major_30d) AS major_30d
        FROM families
        WHERE name <> ''
        GROUP BY device, now, name
    )
    GROUP BY device, now
),
-- One row: the same of one part, the loudest family of its part in place 1.
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY device, now, part ORDER BY errors_30d DESC, days_ago, name) AS place
    FROM families
),
-- One row: the errors of one part.
part_errors AS (
    SELECT
        device, now, part,
        sum(errors_6h) AS errors_6h,
        sum(errors_1d) AS errors_1d,
        sum(errors_3d) AS errors_3d,
        sum(errors_7d) AS errors_7d,
        sum(errors_14d) AS errors_14d,
        sum(errors_30d) AS errors_30d,
        sum(major_1d) AS major_1d,
        sum(major_3d) AS major_3d,
        sum(major_7d) AS major_7d,
        sum(major_14d) AS major_14d,
        sum(major_30d) AS major_30d,
        max(CASE WHEN place = 1 THEN errors_1d END) AS loudest_1d,
        max(CASE WHEN place = 1 THEN errors_3d END) AS loudest_3d,
        max(CASE WHEN place = 1 THEN errors_7d END) AS loudest_7d,
        max(CASE WHEN place = 1 THEN errors_14d END) AS loudest_14d,
        max(CASE WHEN place = 1 THEN errors_30d END) AS loudest_30d,
        sum(life_6h) AS life_6h,
        sum(life_12h) AS life_12h,
        sum(life_1d) AS life_1d,
        sum(life_2d) AS life_2d,
        sum(life_3d) AS life_3d,
        sum(life_5d) AS life_5d,
        sum(life_7d) AS life_7d,
        sum(life_10d) AS life_10d,
        sum(life_14d) AS life_14d,
        sum(life_20d) AS life_20d,
        sum(life_30d) AS life_30d,
        count(*) AS families_30d,
        min(days_ago) * 24.0 AS hours_since
    FROM ranked
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
-- One row: one device, and the errors and the use of the others of its site.
sites AS (
    SELECT
        a.device, a.now,
        (sum(coalesce(w.errors_1d, 0)) OVER of_site - coalesce(w.errors_1d, 0)) * 1.0
            / nullif(count(*) OVER of_site - 1, 0) AS errors_1d,
        (sum(coalesce(w.in_use_7d, 0)) OVER of_site - coalesce(w.in_use_7d, 0)) * 1.0
            / nullif(count(*) OVER of_site - 1, 0) AS in_use_7d
    FROM asked a
    LEFT JOIN whole w ON w.device = a.device AND w.now = a.now
    WINDOW of_site AS (PARTITION BY a.site, a.now)
),
-- One row: the counter of one part, as it was read last and first in the last 30 days.
counters AS (
    SELECT
        device, now, part,
        last_value(amount ORDER BY happened_at, known_at, amount) AS value,
        first_value(amount ORDER BY happened_at, known_at, amount) AS value_first,
        CAST(max(happened_at) - min(happened_at) AS DOUBLE) / 86400000000.0 AS days
    FROM recent
    WHERE sort = 'reading'
    GROUP BY device, now, part
),
-- One row: the same of the device as a whole. `began` is when it went into service, or else when it was first heard of.
seldom_whole AS (
    SELECT
        s.device, s.now, s.maintained, s.first_seen, f.failed,
        coalesce(CAST(s.in_service_day AS BIGINT) * 86400000000, s.first_seen) AS began
    FROM seldom s
    LEFT JOIN (SELECT device, now, max(failed) AS failed FROM part_failures GROUP BY device, now) f
        ON f.device = s.device AND f.now = s.now
    WHERE s.part = ''
)
SELECT
    p.device,
    p.part_group,
    a.now,
    coalesce(e.errors_6h, 0) AS part_errors_6h,
    coalesce(e.errors_1d, 0) AS part_errors_1d,
    coalesce(e.errors_3d, 0) AS part_errors_3d,
    coalesce(e.errors_7d, 0) AS part_errors_7d,
    coalesce(e.errors_14d, 0) AS part_errors_14d,
    coalesce(e.errors_30d, 0) AS part_errors_30d,
    coalesce(e.errors_3d / 3.0 - (e.errors_30d - e.errors_3d) / 27.0, 0) AS part_errors_trend,
    coalesce(e.major_1d, 0) AS part_major_errors_1d,
    coalesce(e.major_3d, 0) AS part_major_errors_3d,
    coalesce(e.major_7d, 0) AS part_major_errors_7d,
    coalesce(e.major_14d, 0) AS part_major_errors_14d,
    coalesce(e.major_30d, 0) AS part_major_errors_30d,
    coalesce(e.major_3d / 3.0 - (e.major_30d - e.major_3d) / 27.0, 0) AS part_major_errors_trend,
    coalesce(e.loudest_1d, 0) AS loudest_family_errors_1d,
    coalesce(e.loudest_3d, 0) AS loudest_family_errors_3d,
    coalesce(e.loudest_7d, 0) AS loudest_family_errors_7d,
    coalesce(e.loudest_14d, 0) AS loudest_family_errors_14d,
    coalesce(e.loudest_30d, 0) AS loudest_family_errors_30d,
    coalesce(e.loudest_3d / 3.0 - (e.loudest_30d - e.loudest_3d) / 27.0, 0) AS loudest_family_trend,
    coalesce(e.life_6h, 0) AS life_errors_6h,
    coalesce(e.life_12h, 0) AS life_errors_12h,
    coalesce(e.life_1d, 0) AS life_errors_1d,
    coalesce(e.life_2d, 0) AS life_errors_2d,
    coalesce(e.life_3d, 0) AS life_errors_3d,
    coalesce(e.life_5d, 0) AS life_errors_5d,
    coalesce(e.life_7d, 0) AS life_errors_7d,
    coalesce(e.life_10d, 0) AS life_errors_10d,
    coalesce(e.life_14d, 0) AS life_errors_14d,
    coalesce(e.life_20d, 0) AS life_errors_20d,
    coalesce(e.life_30d, 0) AS life_errors_30d,
    coalesce(e.families_30d, 0) AS part_families_30d,
    e.hours_since AS hours_since_part_error,
    coalesce(w.errors_1d, 0) AS all_errors_1d,
    coalesce(w.errors_7d, 0) AS all_errors_7d,
    coalesce(w.errors_30d, 0) AS all_errors_30d,
    coalesce(w.major_7d, 0) AS major_errors_7d,
    c.value / p.life AS life_used,
    CASE
        WHEN p.counted_from <= a.now THEN c.value
        ELSE CAST(a.now - coalesce(s.renewed, sw.first_seen) AS DOUBLE) / 86400000000.0
    END AS part_age,
    CASE
        WHEN p.counted_from <= a.now AND c.days > 0 THEN greatest(c.value - c.value_first, 0.0) / c.days
        WHEN p.counted_from <= a.now THEN 0.0
        ELSE 1.0
    END AS part_pace_per_day,
    coalesce(w.in_use_7d, 0) AS productive_hours_7d,
    coalesce(w.in_use_30d, 0) AS productive_hours_30d,
    coalesce(w.stops_7d, 0) AS stops_7d,
    coalesce(w.stops_30d, 0) AS stops_30d,
    coalesce(w.down_30d, 0) AS down_hours_30d,
    CAST(a.now - sw.maintained AS DOUBLE) / 86400000000.0 AS days_since_pm,
    CAST(a.now - sw.failed AS DOUBLE) / 86400000000.0 AS days_since_failure,
    CAST(a.now - pf.failed AS DOUBLE) / 86400000000.0 AS days_since_part_failure,
    coalesce(pf.failures_365d, 0) AS part_failures_365d,
    CAST(a.now - s.replaced AS DOUBLE) / 86400000000.0 AS days_since_replaced,
    CAST(a.now - sw.began AS DOUBLE) / 86400000000.0 AS device_age_days,
    coalesce(st.errors_1d, 0) AS site_errors_per_device_1d,
    coalesce(st.in_use_7d, 0) AS site_use_per_device_7d,
    n.families
FROM parts p
JOIN asked a ON a.device = p.device AND a.now >= p.known_from AND a.now < p.known_until
LEFT JOIN part_errors e ON e.device = p.device AND e.now = a.now AND e.part = p.part
LEFT JOIN whole w ON w.device = p.device AND w.now = a.now
LEFT JOIN named n ON n.device = p.device AND n.now = a.now
LEFT JOIN sites st ON st.device = p.device AND st.now = a.now
LEFT JOIN counters c ON c.device = p.device AND c.now = a.now AND c.part = p.part
LEFT JOIN part_failures pf ON pf.device = p.device AND pf.now = a.now AND pf.part = p.part
LEFT JOIN seldom s ON s.device = p.device AND s.now = a.now AND s.part = p.part
LEFT JOIN seldom_whole sw ON sw.device = p.device AND sw.now = a.now
-- Sums of floating point depend on the order of rows, and so would a model.
ORDER BY p.device, p.part_group, a.now
