-- One row: what the newest run of one horizon says of one device.
WITH newest AS (
    SELECT horizon_hours, MAX(at) AS at, MAX(day) AS day
    FROM scores
    GROUP BY horizon_hours
)
SELECT
    s.device, s.site, s.kind, s.at, s.horizon_hours,
    s.risk_ppm / 1000000.0 AS risk, s.component, s.component_ppm / 1000000.0 AS component_risk, s.voice, s.grounds,
    s.model, s.run
FROM scores AS s
JOIN newest AS n ON n.horizon_hours = s.horizon_hours AND n.at = s.at AND n.day = s.day
