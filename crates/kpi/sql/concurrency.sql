-- One row: one site and kind over the quarter-hours of [$from, $until): how large a share of its devices was in use
-- at once, by day and by night. The share of a quarter-hour is in use ÷ known, in device-microseconds: unknown is not
-- idle. Of a quarter-hour in which nothing is known there is no share; it is counted apart. Median, 95th percentile
-- (which sets the size of a pool) and peak are those of the quarter-hour of that rank. `*_worst_*` ranks every
-- quarter-hour anew were all unknown time idle, `*_best_*` were all of it use: the truth lies between, ÷ in service.
-- 900000000 is a quarter-hour in microseconds.
-- Rollups hold whatever was heard: of a device that was not in service there all the time its intervals say what does not
-- count, and of one that nobody ever registered what it was in service.
WITH beyond AS ({heads}),
spans AS ({in_service}),
service AS (
    SELECT site, kind, from_us, until_us, COUNT(*) AS devices
    FROM spans
    GROUP BY site, kind, from_us, until_us
),
always AS (
    SELECT device, site, kind
    FROM spans
    GROUP BY device, site, kind
    HAVING SUM(until_us - from_us) = CAST($until AS BIGINT) - CAST($from AS BIGINT)
),
serving AS (
    SELECT *, unnest(range(from_us / 900000000, (until_us - 1) / 900000000 + 1)) AS quarter
    FROM service
),
heard_spans AS (
    -- What rollups do not hold: claims beyond a device's edge, and everything where one device is asked about.
    SELECT
        subject AS device,
        site,
        kind,
        condition,
        1 AS weight,
        greatest(from_us, CAST($from AS BIGINT)) AS from_us,
        least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT), CAST($until AS BIGINT)) AS until_us
    FROM beyond
    WHERE role = 'claim'
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR subject = $device)
    UNION ALL
    SELECT
        device,
        site,
        kind,
        condition,
        weight,
        greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT)),
        least(CAST(until_at AS BIGINT), CAST($until AS BIGINT))
    FROM intervals
    WHERE $device <> '' AND device = $device AND day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind)
),
rolled_up AS (
    -- Of what rollups hold, that of devices which were not in service there all the time.
    SELECT
        i.device,
        i.site,
        i.kind,
        i.condition,
        i.weight,
        greatest(CAST(i.from_at AS BIGINT), (CAST($from AS BIGINT) + 899999999) / 900000000 * 900000000) AS from_us,
        least(CAST(i.until_at AS BIGINT), (CAST($until AS BIGINT) + 899999999) / 900000000 * 900000000) AS until_us
    FROM intervals AS i
    LEFT ANTI JOIN always AS a ON a.device = i.device AND a.site = i.site AND a.kind = i.kind
    WHERE $device = '' AND i.day >= CAST($from_day AS DATE) AND i.day <= CAST($until_day AS DATE)
        AND ($site = '' OR i.site = $site) AND ($kind = '' OR i.kind = $kind)
),
heard AS (
    SELECT * FROM heard_spans
    UNION ALL
    SELECT * FROM rolled_up
),
counted AS ({within_service}),
split AS (
    -- Everything that is rolled up of such devices is taken out, and what lies within the time in service put in again.
    SELECT *, unnest(range(from_us / 900000000, (until_us - 1) / 900000000 + 1)) AS quarter
    FROM (
        SELECT site, kind, condition, unregistered, weight, from_us, until_us FROM counted
        UNION ALL
        SELECT site, kind, condition, FALSE, -weight, from_us, until_us FROM rolled_up
    ) AS parts
    WHERE until_us > from_us
),
served AS (
    SELECT
        site,
        kind,
        quarter,
        SUM(devices * (least(until_us, (quarter + 1) * 900000000) - greatest(from_us, quarter * 900000000))) AS in_service_us
    FROM serving
    GROUP BY site, kind, quarter
    UNION ALL
    SELECT
        site,
        kind,
        quarter,
        SUM(weight * (least(until_us, (quarter + 1) * 900000000) - greatest(from_us, quarter * 900000000)))
    FROM split
    WHERE unregistered
    GROUP BY site, kind, quarter
),
told AS (
    SELECT site, kind, condition, CAST(quarter_at AS BIGINT) / 900000000 AS quarter, micros AS us
    FROM rollup_quarter
    WHERE $device = '' AND month >= CAST($from_month AS DATE)
        AND CAST(quarter_at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(quarter_at AS BIGINT) < CAST($until AS BIGINT)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind)
    UNION ALL
    SELECT
        site,
        kind,
        condition,
        quarter,
        weight * (least(until_us, (quarter + 1) * 900000000) - greatest(from_us, quarter * 900000000))
    FROM split
),
known AS (
    SELECT
        site,
        kind,
        quarter,
        SUM(CASE WHEN condition = 'productive' THEN us ELSE 0 END) AS in_use_us,
        SUM(CASE WHEN condition <> 'unknown' THEN us ELSE 0 END) AS known_us
    FROM told
    GROUP BY site, kind, quarter
),
shares AS (
    SELECT
        s.site,
        s.kind,
        s.quarter,
        coalesce(h.in_use_us, 0) AS in_use_us,
        coalesce(h.known_us, 0) AS known_us,
        s.in_service_us
    FROM (SELECT site, kind, quarter, SUM(in_service_us) AS in_service_us FROM served GROUP BY site, kind, quarter) AS s
    LEFT JOIN known AS h ON h.site = s.site AND h.kind = s.kind AND h.quarter = s.quarter
    WHERE s.in_service_us > 0
),
counts AS (
    -- Asked for once more and not as a window: the engine hands a window over whole partitions to an exchange between threads.
    SELECT
        site,
        kind,
        SUM(CASE WHEN known_us > 0 THEN 1 ELSE 0 END) AS quarters,
        COUNT(*) AS every_quarter
    FROM shares
    GROUP BY site, kind
),
ranked AS (
    SELECT
        *,
        in_use_us + in_service_us - known_us AS best_us,
        row_number() OVER (
            PARTITION BY site, kind
            ORDER BY CASE WHEN known_us > 0 THEN CAST(in_use_us AS DOUBLE) / known_us END NULLS LAST, known_us, quarter
        ) AS nth,
        row_number() OVER (
            PARTITION BY site, kind
            ORDER BY CAST(in_use_us AS DOUBLE) / in_service_us, in_service_us, quarter
        ) AS nth_worst,
        row_number() OVER (
            PARTITION BY site, kind
            ORDER BY CAST(in_use_us + in_service_us - known_us AS DOUBLE) / in_service_us, in_service_us, quarter
        ) AS nth_best
    FROM shares
),
ranks AS (
    SELECT
        r.*,
        c.quarters,
        c.every_quarter,
        (c.quarters + 1) / 2 AS median,
        (c.quarters * 19 + 19) / 20 AS p95,
        (c.every_quarter + 1) / 2 AS every_median,
        (c.every_quarter * 19 + 19) / 20 AS every_p95
    FROM ranked AS r
    INNER JOIN counts AS c ON c.site = r.site AND c.kind = r.kind
)
SELECT
    site,
    kind,
    MAX(quarters) AS quarters,
    MAX(every_quarter - quarters) AS unknown_quarters,
    SUM(in_use_us) AS in_use_us,
    SUM(known_us) AS known_us,
    SUM(in_service_us) AS in_service_us,
    MAX(CASE WHEN nth = median THEN in_use_us END) AS median_in_use_us,
    MAX(CASE WHEN nth = median THEN known_us END) AS median_known_us,
    MAX(CASE WHEN nth_worst = every_median THEN in_use_us END) AS median_worst_in_use_us,
    MAX(CASE WHEN nth_worst = every_median THEN in_service_us END) AS median_worst_in_service_us,
    MAX(CASE WHEN nth_best = every_median THEN best_us END) AS median_best_in_use_us,
    MAX(CASE WHEN nth_best = every_median THEN in_service_us END) AS median_best_in_service_us,
    MAX(CASE WHEN nth = p95 THEN in_use_us END) AS p95_in_use_us,
    MAX(CASE WHEN nth = p95 THEN known_us END) AS p95_known_us,
    MAX(CASE WHEN nth_worst = every_p95 THEN in_use_us END) AS p95_worst_in_use_us,
    MAX(CASE WHEN nth_worst = every_p95 THEN in_service_us END) AS p95_worst_in_service_us,
    MAX(CASE WHEN nth_best = every_p95 THEN best_us END) AS p95_best_in_use_us,
    MAX(CASE WHEN nth_best = every_p95 THEN in_service_us END) AS p95_best_in_service_us,
    MAX(CASE WHEN nth = quarters THEN in_use_us END) AS peak_in_use_us,
    MAX(CASE WHEN nth = quarters THEN known_us END) AS peak_known_us,
    MAX(CASE WHEN nth_worst = every_quarter THEN in_use_us END) AS peak_worst_in_use_us,
    MAX(CASE WHEN nth_worst = every_quarter THEN in_service_us END) AS peak_worst_in_service_us,
    MAX(CASE WHEN nth_best = every_quarter THEN best_us END) AS peak_best_in_use_us,
    MAX(CASE WHEN nth_best = every_quarter THEN in_service_us END) AS peak_best_in_service_us
FROM ranks
GROUP BY site, kind
ORDER BY site, kind
