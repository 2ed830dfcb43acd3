-- One row: one site and kind over the quarter-hours of [$from, $until): how large a share of its devices was in use
-- at once. Median, 95th percentile (which sets the size of a pool) and peak are those of the quarter-hour of that
-- rank, each as device-microseconds in use and in service; every quarter-hour counts, by day and by night.
-- 900000000 is a quarter-hour in microseconds.
WITH service AS (
    SELECT site, kind, from_us, until_us, COUNT(*) AS devices
    FROM ({in_service}) AS spans
    GROUP BY site, kind, from_us, until_us
),
pieces AS (
    SELECT *, unnest(range(from_us / 900000000, (until_us - 1) / 900000000 + 1)) AS quarter
    FROM service
),
served AS (
    SELECT
        site,
        kind,
        quarter,
        SUM(devices * (least(until_us, (quarter + 1) * 900000000) - greatest(from_us, quarter * 900000000))) AS in_service_us
    FROM pieces
    GROUP BY site, kind, quarter
),
used AS (
    SELECT site, kind, CAST(quarter_at AS BIGINT) / 900000000 AS quarter, SUM(micros) AS in_use_us
    FROM rollup_quarter
    WHERE month >= CAST($from_month AS DATE) AND condition = 'productive'
        AND CAST(quarter_at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(quarter_at AS BIGINT) < CAST($until AS BIGINT)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind)
    GROUP BY site, kind, CAST(quarter_at AS BIGINT) / 900000000
),
shares AS (
    SELECT
        s.site,
        s.kind,
        s.in_service_us,
        coalesce(u.in_use_us, 0) AS in_use_us,
        row_number() OVER (
            PARTITION BY s.site, s.kind
            ORDER BY CAST(coalesce(u.in_use_us, 0) AS DOUBLE) / s.in_service_us, s.in_service_us, s.quarter
        ) AS nth,
        COUNT(*) OVER (PARTITION BY s.site, s.kind) AS quarters
    FROM served AS s
    LEFT JOIN used AS u ON u.site = s.site AND u.kind = s.kind AND u.quarter = s.quarter
    WHERE s.in_service_us > 0
)
SELECT
    site,
    kind,
    MAX(quarters) AS quarters,
    SUM(in_use_us) AS in_use_us,
    SUM(in_service_us) AS in_service_us,
    MAX(CASE WHEN nth = (quarters + 1) / 2 THEN in_use_us END) AS median_in_use_us,
    MAX(CASE WHEN nth = (quarters + 1) / 2 THEN in_service_us END) AS median_in_service_us,
    MAX(CASE WHEN nth = (quarters * 19 + 19) / 20 THEN in_use_us END) AS p95_in_use_us,
    MAX(CASE WHEN nth = (quarters * 19 + 19) / 20 THEN in_service_us END) AS p95_in_service_us,
    MAX(CASE WHEN nth = quarters THEN in_use_us END) AS peak_in_use_us,
    MAX(CASE WHEN nth = quarters THEN in_service_us END) AS peak_in_service_us
FROM shares
GROUP BY site, kind
ORDER BY site, kind
