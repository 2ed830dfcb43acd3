-- One row: one model of one horizon, with what it was made from. The newest of a horizon speaks, of those that nobody withdrew.
-- `report` is JSON: settings, figures, and what the gate decided and why.
SELECT
    made.model, horizon_hours, made.at AS trained_at,
    taken.model IS NULL AND ROW_NUMBER() OVER (
        PARTITION BY horizon_hours, taken.model IS NULL ORDER BY made.cause_offset DESC
    ) = 1 AS speaks,
    seed, cut, offsets, period_from, period_until, report,
    taken.at AS withdrawn_at, taken.person AS withdrawn_by, taken.reason AS withdrawn_because
FROM models AS made
LEFT JOIN (
    SELECT model, MIN(at) AS at, FIRST_VALUE(person ORDER BY at) AS person, FIRST_VALUE(reason ORDER BY at) AS reason
    FROM withdrawals
    GROUP BY model
) AS taken ON taken.model = made.model
