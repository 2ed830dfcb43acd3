-- One row: one agent, its site, its last sign of life, and what its journal held at that moment, if it said so.
SELECT
    subject AS agent,
    site,
    CAST(from_at AS BIGINT) AS seen_us,
    accepted_facts,
    waiting_facts,
    journal_bytes,
    journal_limit_bytes,
    CAST(oldest_waiting_at AS BIGINT) AS oldest_waiting_us
FROM heads
WHERE role = 'agent'
GROUP BY
    subject, site, from_at, accepted_facts, waiting_facts, journal_bytes, journal_limit_bytes, oldest_waiting_at
HAVING SUM(weight) > 0
ORDER BY seen_us, agent
