-- One row: what one model said of one device for one horizon at one instant, however it came out. `grounds` is JSON,
-- strongest first.
SELECT
    device, site, kind, day, at, horizon_hours,
    risk_ppm / 1000000.0 AS risk, component, component_ppm / 1000000.0 AS component_risk, voice, grounds, model, run
FROM scores
