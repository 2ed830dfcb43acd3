-- One row: one device, what it was last heard in, what a person claims of it, and when its agent was
-- last heard. A claim that has begun and not ended wins over telemetry; a device in service that was
-- never heard is here too, without a condition. $now is the time of the cut.
WITH heads_now AS ({heads}),
versions AS ({device_versions}),
registered AS (
    SELECT device, site, kind
    FROM versions
    WHERE in_service AND from_us <= CAST($now AS BIGINT)
        AND (until_us IS NULL OR until_us > CAST($now AS BIGINT))
),
heard AS (
    SELECT subject, site, kind, agent, condition, degradation, from_us, until_us, edge_us
    FROM heads_now WHERE role = 'live'
),
claimed AS (
    SELECT subject, condition, degradation, from_us, author
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY subject
                ORDER BY CASE condition WHEN 'unscheduled_down' THEN 0 WHEN 'scheduled_down' THEN 1 ELSE 2 END,
                    from_us
            ) AS nth
        FROM heads_now
        WHERE role = 'claim' AND from_us <= CAST($now AS BIGINT)
            AND (until_us IS NULL OR until_us > CAST($now AS BIGINT))
    ) AS ranked
    WHERE nth = 1
),
agents AS (
    SELECT subject AS agent, MAX(from_us) AS seen_us FROM heads_now WHERE role = 'agent' GROUP BY subject
)
SELECT
    r.device,
    r.site,
    r.kind,
    h.agent,
    h.condition,
    h.degradation,
    h.from_us,
    h.until_us,
    h.edge_us,
    c.condition AS claim_condition,
    c.degradation AS claim_degradation,
    c.from_us AS claim_from_us,
    c.author AS claim_author,
    a.seen_us AS agent_seen_us
FROM registered AS r
LEFT JOIN heard AS h ON h.subject = r.device
LEFT JOIN claimed AS c ON c.subject = r.device
LEFT JOIN agents AS a ON a.agent = h.agent
ORDER BY r.site, r.kind, r.device
