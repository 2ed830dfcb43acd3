-- One row: one verdict on one alert about a device, in the order of the log, and when the alert had been raised or reopened last.
-- `foretold`: a score raised it.
SELECT
    j.alert,
    r.subject AS device,
    coalesce(r.part, '') AS part,
    r.model IS NOT NULL AS foretold,
    max(CAST(o.at AS BIGINT)) AS raised_us,
    CAST(j.at AS BIGINT) AS judged_us,
    j.finding,
    coalesce(j.part_found, '') AS part_found
FROM alert_steps AS j
JOIN alert_steps AS r ON r.alert = j.alert AND r.step = 'raised' AND r.subject_kind = 'device'
JOIN alert_steps AS o ON o.alert = j.alert AND o.step IN ('raised', 'reopened')
    AND (o.cause_offset < j.cause_offset OR o.cause_offset = j.cause_offset AND o.cause_index < j.cause_index)
WHERE j.step = 'judged'
GROUP BY j.alert, r.subject, r.part, r.model, j.at, j.finding, j.part_found, j.cause_offset, j.cause_index
ORDER BY j.cause_offset, j.cause_index
