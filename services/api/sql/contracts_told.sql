-- One row: one version of one contract at the site $site that stands, as the bytes in which it was told.
SELECT f.bytes
FROM contracts AS c
JOIN facts AS f
    ON f.subject = c.site AND f.subject_kind = 'site' AND f.epoch = c.epoch AND f.seq = c.seq AND f.verdict = 'new'
WHERE c.site = $site AND f.subject = $site AND f.bytes IS NOT NULL
GROUP BY c.site, c.contract, c.epoch, c.seq, f.bytes
HAVING SUM(c.weight) > 0
ORDER BY MAX(c.valid_from) DESC, MAX(c.recorded_at) DESC
