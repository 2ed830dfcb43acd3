-- One row: how many facts of one life of one writer the archive holds between two of its numbers, both included.
SELECT COUNT(*) AS facts
FROM facts
WHERE verdict = 'new' AND subject_kind = $subject_kind AND subject = $subject
    AND epoch = $epoch AND seq >= $first AND seq <= $last
