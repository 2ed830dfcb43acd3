-- One row: who speaks for one sort of part by one model, as the gate decided when it was made, and why.
SELECT
    model, horizon_hours, trained_at, current,
    get_field(decided, 'kind') AS kind,
    get_field(decided, 'component') AS component,
    get_field(decided, 'speaks') AS speaks,
    get_field(decided, 'failures') AS failures,
    get_field(decided, 'devices') AS devices,
    get_field(decided, 'rows') AS rows,
    get_field(decided, 'because') AS because
FROM (
    SELECT model, horizon_hours, trained_at, told.speaks AS current, UNNEST(decisions_of(report)) AS decided
    FROM (
{models}
    ) AS told
) AS each
