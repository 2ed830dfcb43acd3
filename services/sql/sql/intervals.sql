-- One row: one device in one condition from `from_at` (included) to `until_at` (excluded), within one
-- UTC day, after corrections. Silence is no row. `day` prunes files: name it in WHERE.
SELECT
    device, site, kind, day, from_at, until_at, condition, degradation, reason, source_kind,
    assumed, conflict, claim, author
FROM intervals
GROUP BY
    device, site, kind, day, from_at, until_at, condition, degradation, reason, source_kind,
    assumed, conflict, claim, author
HAVING SUM(weight) > 0
