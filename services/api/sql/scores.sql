-- One row: what the newest run of one horizon says of one device, worst first.
WITH newest AS (
    SELECT horizon_hours, MAX(at) AS at, MAX(day) AS day
    FROM scores
    GROUP BY horizon_hours
)
SELECT
    s.device, s.site, s.kind, s.horizon_hours, s.risk_ppm, s.component, s.component_ppm, s.voice, s.grounds, s.model,
    s.run, CAST(s.at AS BIGINT) AS at_us
FROM scores AS s
JOIN newest AS n ON n.horizon_hours = s.horizon_hours AND n.at = s.at AND n.day = s.day
WHERE s.horizon_hours = $horizon_hours AND ($site = '' OR s.site = $site) AND ($kind = '' OR s.kind = $kind)
ORDER BY s.risk_ppm DESC, s.device
LIMIT 1000
