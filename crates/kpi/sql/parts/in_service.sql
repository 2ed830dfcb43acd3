-- One row: one device at one site from `from_us` to `until_us`, in service, clipped to [$from, $until).
SELECT
    device,
    site,
    kind,
    make,
    model,
    in_service_day,
    greatest(from_us, CAST($from AS BIGINT)) AS from_us,
    least(coalesce(until_us, CAST($until AS BIGINT)), CAST($until AS BIGINT)) AS until_us
FROM ({device_versions}) AS versions
WHERE in_service AND from_us < CAST($until AS BIGINT) AND (until_us IS NULL OR until_us > CAST($from AS BIGINT))
    AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
