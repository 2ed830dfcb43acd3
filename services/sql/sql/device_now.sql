-- One row: one device in service at the time of the cut, what it was last heard in, what a person
-- claims of it, and when its agent was last heard. A device never heard has no condition.
SELECT
    device, site, kind, agent, condition, degradation,
    instant(from_us) AS since_at,
    claim_condition, claim_degradation, instant(claim_from_us) AS claim_since_at, claim_author,
    instant(agent_seen_us) AS agent_seen_at
FROM ({live})
