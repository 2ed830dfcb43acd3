-- One row: one site as it was last defined.
SELECT site, name, time_zone, region, demo
FROM (
    SELECT
        site,
        name,
        time_zone,
        region,
        demo,
        row_number() OVER (PARTITION BY site ORDER BY valid_from DESC, recorded_at DESC) AS nth
    FROM (
        SELECT site, name, time_zone, region, demo, valid_from, recorded_at
        FROM sites
        GROUP BY site, name, time_zone, region, demo, valid_from, recorded_at
        HAVING SUM(weight) > 0
    ) AS stated
) AS ranked
WHERE nth = 1
