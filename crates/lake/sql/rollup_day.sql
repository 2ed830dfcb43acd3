-- One row: one device in one condition on one local day of its site, in microseconds.
-- Input: `intervals`, a micro-batch or the whole table, and `sites` with one row per site. A site
-- without a row counts its days in UTC. Local days have 23, 24 or 25 hours: their edges come from
-- the time zone, never from hour sums.
WITH spans AS (
    SELECT
        i.device,
        i.site,
        i.kind,
        i.condition,
        i.degradation,
        i.weight,
        i.assumed,
        i.conflict,
        coalesce(s.time_zone, 'UTC') AS zone,
        CAST(i.from_at AS BIGINT) AS from_us,
        CAST(i.until_at AS BIGINT) AS until_us
    FROM intervals AS i
    LEFT JOIN sites AS s ON s.site = i.site
    WHERE i.until_at > i.from_at
),
pieces AS (
    SELECT
        *,
        unnest(range(
            CAST(CAST(local_day(
                arrow_cast(from_us, 'Timestamp(Microsecond, Some("UTC"))'), zone) AS INT) AS BIGINT),
            CAST(CAST(local_day(
                arrow_cast(until_us - 1, 'Timestamp(Microsecond, Some("UTC"))'), zone) AS INT) AS BIGINT) + 1
        )) AS day_number
    FROM spans
),
edged AS (
    SELECT
        *,
        arrow_cast(arrow_cast(day_number, 'Int32'), 'Date32') AS local_day,
        CAST(local_midnight(
            arrow_cast(arrow_cast(day_number, 'Int32'), 'Date32'), zone) AS BIGINT) AS begins_us,
        CAST(local_midnight(
            arrow_cast(arrow_cast(day_number + 1, 'Int32'), 'Date32'), zone) AS BIGINT) AS ends_us
    FROM pieces
),
measured AS (
    SELECT
        device,
        site,
        kind,
        local_day,
        condition,
        degradation,
        assumed,
        conflict,
        weight * (least(until_us, ends_us) - greatest(from_us, begins_us)) AS weighted_us
    FROM edged
),
summed AS (
    SELECT
        device,
        site,
        kind,
        local_day,
        condition,
        degradation,
        SUM(weighted_us) AS micros,
        SUM(CASE WHEN assumed THEN weighted_us ELSE 0 END) AS assumed_micros,
        SUM(CASE WHEN conflict THEN weighted_us ELSE 0 END) AS conflict_micros
    FROM measured
    GROUP BY device, site, kind, local_day, condition, degradation
)
SELECT
    CAST(date_trunc('month', CAST(local_day AS TIMESTAMP)) AS DATE) AS month,
    device,
    site,
    kind,
    local_day,
    condition,
    degradation,
    micros,
    assumed_micros,
    conflict_micros
FROM summed
WHERE micros <> 0 OR assumed_micros <> 0 OR conflict_micros <> 0
