-- One row: one agent, its site and its last sign of life.
WITH heads_now AS ({heads})
SELECT subject AS agent, MAX(site) AS site, MAX(from_us) AS seen_us
FROM heads_now
WHERE role = 'agent'
GROUP BY subject
ORDER BY seen_us, agent
