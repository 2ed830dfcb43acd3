-- One row: what the fold answered to one request; the earliest answer holds.
SELECT request, subject, verdict, reason, CAST(at AS BIGINT) AS at_us
FROM verdicts
WHERE request = $request AND ($subject = '' OR subject = $subject)
ORDER BY cause_topic, cause_partition, cause_offset, cause_index
LIMIT 1
