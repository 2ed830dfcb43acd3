-- One row: one site and kind in one condition in one UTC quarter-hour, in device-microseconds.
-- Input: `intervals`, a micro-batch or the whole table. Microseconds are weighted, so that a
-- withdrawn interval takes back what it gave; what cancels within the batch makes no row.
-- 900000000 is a quarter-hour in microseconds; a quarter is numbered from 1970.
WITH spans AS (
    SELECT
        site,
        kind,
        condition,
        degradation,
        weight,
        assumed,
        conflict,
        CAST(from_at AS BIGINT) AS from_us,
        CAST(until_at AS BIGINT) AS until_us
    FROM intervals
),
pieces AS (
    SELECT
        *,
        unnest(range(from_us / 900000000, (until_us - 1) / 900000000 + 1)) AS quarter
    FROM spans
    WHERE until_us > from_us
),
measured AS (
    SELECT
        site,
        kind,
        condition,
        degradation,
        assumed,
        conflict,
        quarter,
        weight * (least(until_us, (quarter + 1) * 900000000)
            - greatest(from_us, quarter * 900000000)) AS weighted_us
    FROM pieces
),
summed AS (
    SELECT
        site,
        kind,
        condition,
        degradation,
        quarter,
        SUM(weighted_us) AS micros,
        SUM(CASE WHEN assumed THEN weighted_us ELSE 0 END) AS assumed_micros,
        SUM(CASE WHEN conflict THEN weighted_us ELSE 0 END) AS conflict_micros
    FROM measured
    GROUP BY site, kind, condition, degradation, quarter
)
SELECT
    CAST(date_trunc('month', to_timestamp_micros(quarter * 900000000)) AS DATE) AS month,
    site,
    kind,
    arrow_cast(quarter * 900000000, 'Timestamp(Microsecond, Some("UTC"))') AS quarter_at,
    condition,
    degradation,
    micros,
    assumed_micros,
    conflict_micros
FROM summed
WHERE micros <> 0 OR assumed_micros <> 0 OR conflict_micros <> 0
