-- One row: one version of one contract at one site that stands. Basis points are hundredths of a percent.
SELECT
    site,
    contract,
    vendor,
    kind,
    devices,
    CAST(valid_from AS INT) AS valid_from_day,
    CAST(valid_until AS INT) AS valid_until_day,
    guarantee_bp,
    period,
    hours,
    minor_bp,
    partial_bp,
    severe_bp,
    exclusions,
    clock_starts,
    clock_stops,
    CAST(recorded_at AS BIGINT) AS recorded_us
FROM contracts
WHERE ($site = '' OR site = $site)
GROUP BY
    site, contract, vendor, kind, devices, valid_from, valid_until, guarantee_bp, period, hours, minor_bp, partial_bp,
    severe_bp, exclusions, clock_starts, clock_stops, recorded_at, epoch, seq
HAVING SUM(weight) > 0
ORDER BY site, contract, valid_from_day, recorded_us
