-- One row: one record that the log took at $closed or later and that tells of a device, with the strongest of its reasons: 7 it voids, 6 it
-- corrects, 5 a clock was wrong, 4 a retirement, 3 a move, 2 a registration, 1 a person's claim, 0 anything else.
SELECT
    *,
    CASE why WHEN 7 THEN 'voided' WHEN 6 THEN 'corrected' WHEN 5 THEN 'clock_step' WHEN 4 THEN 'retired' WHEN 3 THEN 'moved'
        WHEN 2 THEN 'registered' WHEN 1 THEN 'claim' ELSE 'backlog' END AS reason
FROM (
    SELECT
        cause_topic,
        cause_partition,
        cause_offset,
        MIN(appended_at) AS appended_at,
        MAX(CASE kind WHEN 'voided' THEN 7 WHEN 'corrected' THEN 6 WHEN 'clock_step' THEN 5 WHEN 'retired' THEN 4 WHEN 'moved' THEN 3
            WHEN 'registered' THEN 2 WHEN 'asserted' THEN 1 ELSE 0 END) AS why
    FROM facts
    WHERE CAST(appended_at AS BIGINT) >= CAST($closed AS BIGINT) AND subject_kind = 'device' AND ($device = '' OR subject = $device)
    GROUP BY cause_topic, cause_partition, cause_offset
) AS told
