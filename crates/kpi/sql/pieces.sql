-- One row: one span of one device in one condition within [$from, $until), not clipped to it, with the log record
-- that made it so. Origin `ledger` is an interval that stands after netting, `claim` what a person claims beyond the
-- device's edge, up to $now. Gaps are no rows: silence.
WITH beyond AS (
    SELECT
        subject,
        site,
        kind,
        condition,
        degradation,
        CAST(from_at AS BIGINT) AS from_us,
        least(coalesce(CAST(until_at AS BIGINT), CAST($now AS BIGINT)), CAST($now AS BIGINT)) AS until_us,
        author,
        MAX(CASE WHEN weight > 0 THEN cause_partition END) AS log_partition,
        MAX(CASE WHEN weight > 0 THEN cause_offset END) AS log_offset
    FROM heads
    WHERE role = 'claim' AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind)
        AND ($device = '' OR subject = $device)
    GROUP BY subject, site, kind, condition, degradation, from_at, until_at, edge_at, author
    HAVING SUM(weight) > 0
)
SELECT
    device,
    site,
    kind,
    'ledger' AS origin,
    CAST(from_at AS BIGINT) AS from_us,
    CAST(until_at AS BIGINT) AS until_us,
    condition,
    degradation,
    reason,
    source_kind,
    assumed,
    conflict,
    claim,
    author,
    MAX(CASE WHEN weight > 0 THEN cause_partition END) AS log_partition,
    MAX(CASE WHEN weight > 0 THEN cause_offset END) AS log_offset
FROM intervals
WHERE day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
    AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT) AND CAST(until_at AS BIGINT) > CAST($from AS BIGINT)
    AND ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
GROUP BY device, site, kind, from_at, until_at, condition, degradation, reason, source_kind, assumed, conflict, claim,
    author
HAVING SUM(weight) > 0
UNION ALL
SELECT
    subject,
    site,
    kind,
    'claim',
    from_us,
    until_us,
    condition,
    degradation,
    NULL,
    'person',
    FALSE,
    FALSE,
    TRUE,
    author,
    log_partition,
    log_offset
FROM beyond
WHERE from_us < CAST($until AS BIGINT) AND until_us > greatest(from_us, CAST($from AS BIGINT))
ORDER BY device, from_us, origin
