-- One row: one model of one horizon, with what it was made from. The newest of a horizon speaks. `report` is JSON:
-- settings, figures, and what the gate decided and why.
SELECT
    model, horizon_hours, at AS trained_at,
    ROW_NUMBER() OVER (PARTITION BY horizon_hours ORDER BY cause_offset DESC) = 1 AS speaks,
    seed, cut, offsets, period_from, period_until, report
FROM models
