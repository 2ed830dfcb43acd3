-- One row: one statement as it was issued: its figure then, and the cut that computes it again.
SELECT
    device,
    site,
    kind,
    statement,
    contract,
    CAST(period_from AS BIGINT) AS period_from_us,
    CAST(period_until AS BIGINT) AS period_until_us,
    cut AS pinned_cut,
    CAST(as_of AS BIGINT) AS as_of_us,
    offsets,
    CAST(contract_valid_from AS INT) AS contract_valid_from_day,
    CAST(contract_recorded_at AS BIGINT) AS contract_recorded_us,
    CAST(calendar_recorded_at AS BIGINT) AS calendar_recorded_us,
    base_us,
    weighted_us_bp,
    unknown_us,
    conflict_us_bp,
    author,
    CAST(at AS BIGINT) AS issued_us
FROM statements
WHERE ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
GROUP BY
    device, site, kind, statement, contract, period_from, period_until, cut, as_of, offsets, contract_valid_from,
    contract_recorded_at, calendar_recorded_at, base_us, weighted_us_bp, unknown_us, conflict_us_bp, author, at, epoch, seq
HAVING SUM(weight) > 0
ORDER BY device, issued_us, statement
