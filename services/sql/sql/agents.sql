-- One row: an agent, when it was last heard by its own clock, and what its journal held at that moment, if it said so;
-- how that stands since is not known.
SELECT
    subject AS agent,
    site,
    from_at AS heard_at,
    accepted_facts,
    accepted_facts - waiting_facts AS receipted_facts,
    waiting_facts,
    oldest_waiting_at,
    journal_bytes,
    journal_limit_bytes
FROM heads
WHERE role = 'agent'
GROUP BY
    subject, site, from_at, accepted_facts, waiting_facts, oldest_waiting_at, journal_bytes, journal_limit_bytes
HAVING SUM(weight) > 0
