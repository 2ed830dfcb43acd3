-- One row: one alert that a score raised, and how long it stood: while it was open, at least for the horizon of the score, and up to a
-- verdict that says it was right. `stood_until` is null while it is open.
SELECT
    alert, rule, site, kind, device, part, model, voice, horizon_hours, chance, raised_at,
    CASE
        WHEN open THEN NULL
        ELSE arrow_cast(
            greatest(
                CAST(raised_at AS BIGINT) + horizon_hours * 3600000000,
                coalesce(CAST(ended_at AS BIGINT), 0),
                CASE WHEN was_right THEN CAST(judged_at AS BIGINT) ELSE 0 END
            ),
            'Timestamp(Microsecond, Some("UTC"))'
        )
    END AS stood_until,
    withdrawn, finding, part_found, judged_at, was_right
FROM ({alerts}) AS all_alerts
WHERE model IS NOT NULL AND device IS NOT NULL
