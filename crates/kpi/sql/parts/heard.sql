-- One row: one condition of one device as it was heard within [$from, $until), corrections beside what they replace; of the rows
-- `standing` at the edge of the ledger what people claim beyond a device's edge.
SELECT
    device,
    site,
    kind,
    condition,
    conflict,
    weight,
    greatest(CAST(from_at AS BIGINT), CAST($from AS BIGINT)) AS from_us,
    least(CAST(until_at AS BIGINT), CAST($until AS BIGINT)) AS until_us
FROM intervals
WHERE day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
    AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT) AND CAST(until_at AS BIGINT) > CAST($from AS BIGINT)
    AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
UNION ALL
SELECT
    subject,
    site,
    kind,
    condition,
    FALSE,
    1,
    greatest(from_us, CAST($from AS BIGINT)),
    least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT), CAST($until AS BIGINT))
FROM standing
WHERE role = 'claim' AND from_us < least(CAST($until AS BIGINT), CAST($now AS BIGINT))
    AND (until_us IS NULL OR until_us > CAST($from AS BIGINT))
    AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR subject = $device)
