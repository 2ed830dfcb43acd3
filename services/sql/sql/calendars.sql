-- One row: one stretch of base hours in a week of a site, for all kinds (`kind` null) or for one.
-- Weekdays are ISO, Monday 1; minutes are local, since midnight. A calendar without any hours is one stretch of no
-- length.
SELECT site, kind, weekday, from_minute, until_minute, valid_from, recorded_at
FROM calendars
GROUP BY site, kind, weekday, from_minute, until_minute, valid_from, recorded_at
HAVING SUM(weight) > 0
