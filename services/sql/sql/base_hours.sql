-- One row: one UTC quarter-hour (numbered from 1970) that lies in the base hours of one site and kind.
-- A kind with a calendar of its own that is in force on that local day follows it, the others follow
-- the site's. Of two calendars valid from the same day the one recorded last holds.
-- 900000000 is a quarter-hour in microseconds. Weekdays are ISO, Monday 1; 1970-01-01 was a Thursday.
WITH places AS ({sites}),
hours AS (
    SELECT site, coalesce(kind, '') AS scope, weekday, from_minute, until_minute, valid_from, recorded_at
    FROM calendars
    GROUP BY site, coalesce(kind, ''), weekday, from_minute, until_minute, valid_from, recorded_at
    HAVING SUM(weight) > 0
),
newest AS (
    SELECT site, scope, valid_from, MAX(recorded_at) AS recorded_at
    FROM hours
    GROUP BY site, scope, valid_from
),
calendar_versions AS (
    SELECT
        *,
        lead(valid_from) OVER (PARTITION BY site, scope ORDER BY valid_from) AS valid_until
    FROM newest
),
quarters AS (
    SELECT
        site,
        time_zone,
        unnest(range(CAST($from AS BIGINT) / 900000000, CAST($until AS BIGINT) / 900000000)) AS quarter
    FROM places
),
local_quarters AS (
    SELECT
        site,
        quarter,
        local_day(arrow_cast(quarter * 900000000, 'Timestamp(Microsecond, Some("UTC"))'), time_zone) AS day,
        local_minute(arrow_cast(quarter * 900000000, 'Timestamp(Microsecond, Some("UTC"))'), time_zone) AS minute
    FROM quarters
),
in_force AS (
    SELECT
        q.site,
        q.quarter,
        q.minute,
        CAST((CAST(q.day AS INT) + 3) % 7 + 1 AS INT) AS weekday,
        v.scope,
        v.valid_from,
        v.recorded_at
    FROM local_quarters AS q
    INNER JOIN calendar_versions AS v
        ON v.site = q.site AND q.day >= v.valid_from AND (v.valid_until IS NULL OR q.day < v.valid_until)
),
staffed AS (
    SELECT DISTINCT f.site, f.quarter, f.scope
    FROM in_force AS f
    INNER JOIN hours AS h
        ON h.site = f.site AND h.scope = f.scope AND h.valid_from = f.valid_from
        AND h.recorded_at = f.recorded_at AND h.weekday = f.weekday
        AND f.minute >= h.from_minute AND f.minute < h.until_minute
),
kinds AS (
    SELECT DISTINCT site, kind FROM devices
),
chosen AS (
    -- The empty scope is the site's own and sorts below every kind.
    SELECT k.site, k.kind, f.quarter, MAX(f.scope) AS scope
    FROM kinds AS k
    INNER JOIN in_force AS f ON f.site = k.site AND (f.scope = '' OR f.scope = k.kind)
    GROUP BY k.site, k.kind, f.quarter
)
SELECT c.site, c.kind, c.quarter
FROM chosen AS c
INNER JOIN staffed AS s ON s.site = c.site AND s.scope = c.scope AND s.quarter = c.quarter
