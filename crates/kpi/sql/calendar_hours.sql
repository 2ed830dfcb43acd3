-- One row: one stretch of base hours of one version of one calendar that stands; of a version without hours, one
-- stretch of no length.
SELECT
    site,
    kind,
    weekday,
    from_minute,
    until_minute,
    CAST(valid_from AS INT) AS valid_from_day,
    CAST(recorded_at AS BIGINT) AS recorded_us
FROM calendars
GROUP BY site, kind, weekday, from_minute, until_minute, valid_from, recorded_at
HAVING SUM(weight) > 0
