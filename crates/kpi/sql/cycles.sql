-- One row: one counter of one device over [$from, $until): what it gained, in thousandths of its unit, from how many
-- samples, how many of these were resets (the gain is then a lower bound), and what it read at the newest of them.
SELECT
    device,
    MIN(site) AS site,
    MIN(kind) AS kind,
    counter,
    component,
    unit,
    source,
    SUM(weight * increment_milli) AS gained_milli,
    SUM(weight) AS samples,
    SUM(CASE WHEN step = 'reset' THEN weight ELSE 0 END) AS resets,
    MAX(CAST(at AS BIGINT)) AS last_us,
    last_value(value_milli ORDER BY at) AS reading_milli
FROM (
    SELECT
        device,
        site,
        kind,
        counter,
        component,
        unit,
        source,
        at,
        value_milli,
        increment_milli,
        step,
        SUM(weight) AS weight
    FROM usage
    WHERE day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
        AND CAST(at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(at AS BIGINT) < CAST($until AS BIGINT)
        AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
    GROUP BY device, site, kind, counter, component, unit, source, at, value_milli, increment_milli, step
    HAVING SUM(weight) > 0
) AS stands
GROUP BY device, counter, component, unit, source
ORDER BY device, counter, component, source
