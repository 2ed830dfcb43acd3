-- One row: one fact in the log, without its bytes: who said it, when, and where in the log it lies.
SELECT
    subject_kind, subject, epoch, seq, kind, at, known_at, known_assumed, day, site, device_kind, agent,
    source_kind, clock, verdict, suspect, appended_at,
    cause_topic, cause_partition, cause_offset, cause_index
FROM facts
