-- One row: one entry of a table that the log held before $as_of: its cause lies below the first record
-- of its partition that was appended at that instant or later.
SELECT t.*
FROM {table} AS t
LEFT JOIN (
    SELECT cause_topic, cause_partition, MIN(cause_offset) AS first_after
    FROM every_fact
    WHERE CAST(appended_at AS BIGINT) >= CAST($as_of AS BIGINT)
    GROUP BY cause_topic, cause_partition
) AS late
    ON late.cause_topic = t.cause_topic AND late.cause_partition = t.cause_partition
WHERE late.first_after IS NULL OR t.cause_offset < late.first_after
