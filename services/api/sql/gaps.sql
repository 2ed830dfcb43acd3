-- One row: one life of one writer that lacks facts which its later facts name, most first; 50 at most. Epochs of copies
-- repeat some facts of others, so that gaps mean nothing there.
SELECT
    subject_kind,
    subject,
    MAX(site) AS site,
    MAX(agent) AS agent,
    epoch,
    MAX(seq) - COUNT(*) AS missing,
    MAX(CAST(appended_at AS BIGINT)) AS newest_us
FROM facts
WHERE verdict = 'new' AND (epoch < $copies_first OR epoch > $copies_last)
GROUP BY subject_kind, subject, epoch
HAVING MAX(seq) > COUNT(*)
ORDER BY missing DESC, subject_kind, subject, epoch
LIMIT 50
