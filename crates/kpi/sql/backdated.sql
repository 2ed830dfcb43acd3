-- One row: one version of a calendar or contract that holds within [$from, $until), or another time zone of a site, that was recorded at
-- $closed or later: what it changes of that period it changes afterwards. Its size is computed beside it. A site has the zone it was last
-- given at all times, the past included, since hospitals do not move: who names another one corrects it.
WITH versions AS (
    SELECT
        'calendar' AS what,
        site,
        kind,
        CAST(NULL AS VARCHAR) AS contract,
        valid_from,
        CAST(NULL AS INT) AS ends_day,
        CAST(recorded_at AS BIGINT) AS recorded_us,
        MAX(CASE WHEN weight > 0 THEN cause_partition END) AS log_partition,
        MAX(CASE WHEN weight > 0 THEN cause_offset END) AS log_offset
    FROM calendars
    GROUP BY site, kind, valid_from, recorded_at
    HAVING SUM(weight) > 0
    UNION ALL
    SELECT
        'contract',
        site,
        kind,
        contract,
        valid_from,
        CAST(valid_until AS INT),
        CAST(recorded_at AS BIGINT),
        MAX(CASE WHEN weight > 0 THEN cause_partition END),
        MAX(CASE WHEN weight > 0 THEN cause_offset END)
    FROM contracts
    GROUP BY site, kind, contract, valid_from, valid_until, recorded_at
    HAVING SUM(weight) > 0
),
defined AS (
    SELECT
        site,
        time_zone,
        valid_from,
        recorded_at,
        MAX(CASE WHEN weight > 0 THEN cause_partition END) AS log_partition,
        MAX(CASE WHEN weight > 0 THEN cause_offset END) AS log_offset
    FROM sites
    GROUP BY site, name, time_zone, region, demo, valid_from, recorded_at
    HAVING SUM(weight) > 0
),
standing AS (
    -- The zone that a site had once a definition had been recorded: of all that were by then, that of the last.
    SELECT
        d.site,
        d.valid_from,
        d.recorded_at,
        d.log_partition,
        d.log_offset,
        first_value(o.time_zone ORDER BY o.valid_from DESC, o.recorded_at DESC) AS time_zone
    FROM defined AS d
    INNER JOIN defined AS o ON o.site = d.site AND o.recorded_at <= d.recorded_at
    GROUP BY d.site, d.valid_from, d.recorded_at, d.log_partition, d.log_offset
),
zones AS (
    SELECT *, lag(time_zone) OVER (PARTITION BY site ORDER BY recorded_at, valid_from) AS zone_before FROM standing
),
followed AS (
    -- A version ends where a later day's begins.
    SELECT
        *,
        MIN(CAST(valid_from AS INT)) OVER (
            PARTITION BY what, site, kind, contract
            ORDER BY CAST(valid_from AS INT)
            RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS next_day
    FROM versions
)
SELECT what, site, kind, contract, valid_from_day, recorded_us, log_partition, log_offset
FROM (
    SELECT what, site, kind, contract, valid_from AS valid_from_day, recorded_us, log_partition, log_offset
    FROM followed
    WHERE valid_from <= CAST($until_day AS DATE)
        AND (next_day IS NULL OR next_day > CAST(CAST($from_day AS DATE) AS INT))
        AND (ends_day IS NULL OR ends_day > CAST(CAST($from_day AS DATE) AS INT))
    UNION ALL
    SELECT
        'time_zone', site, NULL, NULL, CAST(valid_from AS DATE), CAST(recorded_at AS BIGINT), log_partition, log_offset
    FROM zones
    WHERE zone_before <> time_zone
) AS changes
WHERE recorded_us >= CAST($closed AS BIGINT)
    AND ($site = '' OR site = $site) AND ($kind = '' OR kind IS NULL OR kind = $kind)
ORDER BY recorded_us, site, what, contract
