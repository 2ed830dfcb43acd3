-- One row: the part of one row of `told_downs` in which its device was in service, wherever it was.
SELECT
    t.* EXCLUDE (from_us, until_us),
    greatest(t.from_us, s.from_us) AS from_us,
    least(t.until_us, coalesce(s.until_us, t.until_us)) AS until_us
FROM told_downs AS t
INNER JOIN ({service_times}) AS s
    ON s.device = t.device AND s.from_us < t.until_us AND (s.until_us IS NULL OR s.until_us > t.from_us)
