-- One row: one fact of the device $device that may stand behind its figures in [$from, $until), with its place in
-- the log: facts of the records that made the intervals and claims that stand, the errors, maintenance and replacements
-- of the period, and every phase of each order of which one lies in it; and stretches of those days. Whoever has the
-- bytes knows which stretches reach into the period.
WITH standing AS (
    SELECT
        MAX(CASE WHEN weight > 0 THEN cause_topic END) AS cause_topic,
        MAX(CASE WHEN weight > 0 THEN cause_partition END) AS cause_partition,
        MAX(CASE WHEN weight > 0 THEN cause_offset END) AS cause_offset
    FROM intervals
    WHERE device = $device AND day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
        AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT) AND CAST(until_at AS BIGINT) > CAST($from AS BIGINT)
    GROUP BY site, kind, from_at, until_at, condition, degradation, reason, source_kind, assumed, conflict, claim, author
    HAVING SUM(weight) > 0
    UNION ALL
    SELECT
        MAX(CASE WHEN weight > 0 THEN cause_topic END),
        MAX(CASE WHEN weight > 0 THEN cause_partition END),
        MAX(CASE WHEN weight > 0 THEN cause_offset END)
    FROM heads
    WHERE role = 'claim' AND subject = $device AND CAST(from_at AS BIGINT) < CAST($until AS BIGINT)
        AND (until_at IS NULL OR CAST(until_at AS BIGINT) > CAST($from AS BIGINT))
    GROUP BY site, kind, condition, degradation, from_at, until_at, edge_at, author
    HAVING SUM(weight) > 0
),
causes AS (
    SELECT DISTINCT cause_topic, cause_partition, cause_offset FROM standing
),
-- One row: one entry of a fact that is a row by itself.
entries AS (
    SELECT epoch, seq, weight, cause_topic, cause_partition, cause_offset
    FROM orders
    WHERE device = $device AND work_order IN (
        SELECT work_order FROM orders
        WHERE device = $device AND CAST(at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(at AS BIGINT) < CAST($until AS BIGINT)
        GROUP BY work_order, epoch, seq
        HAVING SUM(weight) > 0
    )
    UNION ALL
    SELECT epoch, seq, weight, cause_topic, cause_partition, cause_offset
    FROM maintenance
    WHERE device = $device AND CAST(at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(at AS BIGINT) < CAST($until AS BIGINT)
    UNION ALL
    SELECT epoch, seq, weight, cause_topic, cause_partition, cause_offset
    FROM components
    WHERE device = $device AND CAST(at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(at AS BIGINT) < CAST($until AS BIGINT)
    UNION ALL
    SELECT epoch, seq, weight, cause_topic, cause_partition, cause_offset
    FROM errors
    WHERE device = $device AND day >= CAST($from_day AS DATE) AND day <= CAST($until_day AS DATE)
        AND CAST(at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(at AS BIGINT) < CAST($until AS BIGINT)
),
-- One row: one such fact that stands, and the record that made it what it is.
noted AS (
    SELECT
        epoch,
        seq,
        MAX(CASE WHEN weight > 0 THEN cause_topic END) AS cause_topic,
        MAX(CASE WHEN weight > 0 THEN cause_partition END) AS cause_partition,
        MAX(CASE WHEN weight > 0 THEN cause_offset END) AS cause_offset
    FROM entries
    GROUP BY epoch, seq
    HAVING SUM(weight) > 0
),
records_noted AS (
    SELECT DISTINCT cause_topic, cause_partition, cause_offset FROM noted
)
SELECT
    f.kind,
    CAST(f.at AS BIGINT) AS at_us,
    CAST(f.known_at AS BIGINT) AS known_us,
    CAST(f.appended_at AS BIGINT) AS appended_us,
    f.source_kind,
    f.agent,
    f.suspect,
    f.epoch,
    f.seq,
    CAST(f.cause_topic AS INT) AS log_topic,
    f.cause_partition AS log_partition,
    f.cause_offset AS log_offset,
    f.cause_index AS log_index,
    c.cause_offset IS NOT NULL OR n.seq IS NOT NULL OR r.cause_offset IS NOT NULL AS is_cause,
    f.bytes
FROM facts AS f
LEFT JOIN causes AS c
    ON c.cause_topic = f.cause_topic AND c.cause_partition = f.cause_partition AND c.cause_offset = f.cause_offset
LEFT JOIN noted AS n ON n.epoch = f.epoch AND n.seq = f.seq
-- What a correction says is a row under the identity of what it corrects.
LEFT JOIN records_noted AS r
    ON r.cause_topic = f.cause_topic AND r.cause_partition = f.cause_partition AND r.cause_offset = f.cause_offset
    AND f.kind = 'corrected'
WHERE f.subject = $device AND f.subject_kind = 'device' AND f.verdict <> 'duplicate'
    AND (c.cause_offset IS NOT NULL OR n.seq IS NOT NULL OR r.cause_offset IS NOT NULL
        OR (f.kind = 'stretch' AND f.day >= CAST($from_day AS DATE) AND f.day <= CAST($until_day AS DATE)
            AND CAST(f.at AS BIGINT) < CAST($until AS BIGINT)))
ORDER BY f.cause_topic, f.cause_partition, f.cause_offset, f.cause_index
