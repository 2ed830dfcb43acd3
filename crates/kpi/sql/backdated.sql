-- One row: one version of a calendar or contract that holds within [$from, $until) and was recorded at $closed or
-- later: what it changes of that period it changes afterwards. Its size is computed beside it.
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
SELECT
    what,
    site,
    kind,
    contract,
    valid_from AS valid_from_day,
    recorded_us,
    log_partition,
    log_offset
FROM followed
WHERE recorded_us >= CAST($closed AS BIGINT)
    AND valid_from <= CAST($until_day AS DATE)
    AND (next_day IS NULL OR next_day > CAST(CAST($from_day AS DATE) AS INT))
    AND (ends_day IS NULL OR ends_day > CAST(CAST($from_day AS DATE) AS INT))
    AND ($site = '' OR site = $site) AND ($kind = '' OR kind IS NULL OR kind = $kind)
ORDER BY recorded_us, site, what, contract
