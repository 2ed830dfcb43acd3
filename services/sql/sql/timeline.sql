-- One row: one device in one condition from `from_at` to `until_at`, clipped to the period. Origin
-- `ledger` is an interval that stands after netting, `claim` what a person claims beyond the ledger's
-- edge, `live` what was last heard beyond it, and provisional. Gaps are no rows.
SELECT
    $device AS device, origin, instant(from_us) AS from_at, instant(until_us) AS until_at, condition,
    degradation, reason, source_kind, assumed, conflict, claim, author
FROM ({timeline})
