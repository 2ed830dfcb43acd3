-- One row: one site and kind over the period. Sums are device-seconds; each ratio stands
-- beside what it was divided from, and is null where there is nothing to divide. Up is productive,
-- standby or engineering. `worst` takes all unknown time as down, `best` as up (and with it the downtime
-- in which use was seen).
WITH spent AS ({uptime}),
sums AS (
    SELECT site, kind, {sums}
    FROM spent
    GROUP BY site, kind
),
totals AS ({totals})
SELECT
    site,
    kind,
    {figures}
FROM totals
