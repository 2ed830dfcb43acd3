-- One row: one run of unscheduled down of one device, as long as nothing says that it worked in between: silence
-- ends no failure. A maintenance overrun is none. In use: it was in use when last seen within the day before. Read from
-- eight days before the period, of a device that was down then from the beginning of its trouble, so that what began before
-- it is not taken for a beginning; to now, so that its end is found. Of the many times it worked only sums are kept; the
-- small side of a join comes first.
WITH beyond AS ({heads}),
asked AS ({asked}),
told_downs AS (
    SELECT
        i.device,
        i.site,
        i.kind,
        CAST(i.from_at AS BIGINT) AS from_us,
        CAST(i.until_at AS BIGINT) AS until_us,
        i.conflict,
        i.claim OR i.source_kind IN ('person', 'record') AS told
    FROM asked AS a
    INNER JOIN intervals AS i ON i.device = a.device
    WHERE i.day >= CAST($read_from_day AS DATE) AND i.day <= CAST($read_until_day AS DATE)
        AND i.condition = 'unscheduled_down' AND coalesce(i.reason, '') <> 'maintenance_overrun'
    GROUP BY i.device, i.site, i.kind, i.from_at, i.until_at, i.claim, i.source_kind, i.degradation, i.reason, i.assumed,
        i.conflict, i.author
    HAVING SUM(i.weight) > 0
    UNION ALL
    SELECT device, site, kind, from_us, until_us, conflict, told
    FROM ({earlier_downs}) AS earlier
    WHERE condition = 'unscheduled_down' AND reason <> 'maintenance_overrun'
    UNION ALL
    SELECT subject, site, kind, from_us, least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)), FALSE, TRUE
    FROM asked AS a
    INNER JOIN beyond AS b ON b.subject = a.device
    WHERE role = 'claim' AND condition = 'unscheduled_down' AND from_us < CAST($now AS BIGINT)
),
downs AS ({served_downs}),
numbered AS ({numbered_downs}),
blocks AS (
    -- What touches is one: the ledger cuts at hours.
    SELECT
        device,
        block,
        MIN(site) AS site,
        MIN(kind) AS kind,
        MIN(from_us) AS from_us,
        MAX(until_us) AS until_us,
        SUM(until_us - from_us) AS down_us,
        SUM(CASE WHEN conflict THEN until_us - from_us ELSE 0 END) AS conflict_us,
        COUNT(*) AS pieces,
        bool_or(told) AS told
    FROM numbered
    GROUP BY device, block
),
spaced AS (
    SELECT *, lead(from_us) OVER (PARTITION BY device ORDER BY block) AS next_us FROM blocks
),
around AS (
    -- What each block has around it, in one look: the times it worked from its beginning to that of the next block are
    -- one sum; those within the day before it stay apart.
    SELECT
        b.device,
        b.block,
        b.site,
        b.kind,
        b.from_us,
        b.until_us,
        b.down_us,
        b.conflict_us,
        b.pieces,
        b.told,
        CASE WHEN i.from_us < b.from_us THEN i.from_us END AS seen_us,
        CASE WHEN i.from_us < b.from_us THEN i.until_us END AS seen_until_us,
        i.condition = 'productive' AS productive,
        SUM(i.weight) AS weight,
        SUM(i.weight * (i.until_us - i.from_us)) AS us
    FROM spaced AS b
    LEFT JOIN ({worked}) AS i
        ON i.device = b.device AND i.from_us >= b.from_us - 86400000000
        AND (b.next_us IS NULL OR i.from_us < b.next_us)
    GROUP BY b.device, b.block, b.site, b.kind, b.from_us, b.until_us, b.down_us, b.conflict_us, b.pieces, b.told,
        CASE WHEN i.from_us < b.from_us THEN i.from_us END,
        CASE WHEN i.from_us < b.from_us THEN i.until_us END,
        i.condition = 'productive'
),
ended AS (
    -- The last time before it decides on use: an even number is none, an odd one is.
    SELECT
        device,
        block,
        site,
        kind,
        from_us,
        until_us,
        down_us,
        conflict_us,
        pieces,
        told,
        coalesce(SUM(CASE WHEN seen_us IS NULL THEN us END), 0) > 0 AS up_after,
        coalesce(MAX(CASE WHEN weight > 0 THEN seen_us * 2 + CASE WHEN productive THEN 1 ELSE 0 END END) % 2 = 1, FALSE)
            AS in_use
    FROM around
    GROUP BY device, block, site, kind, from_us, until_us, down_us, conflict_us, pieces, told
),
islands AS ({down_islands})
SELECT
    device,
    MIN(site) AS site,
    MIN(kind) AS kind,
    MIN(from_us) AS onset_us,
    MAX(until_us) AS until_us,
    SUM(down_us) AS down_us,
    SUM(conflict_us) AS conflict_us,
    SUM(pieces) AS pieces,
    bool_or(told) AS told,
    bool_or(in_use AND coalesce(up_before, TRUE)) AS in_use,
    bool_or(up_after) AS recovered
FROM islands
GROUP BY device, island
