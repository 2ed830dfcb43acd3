-- One row: one corrective order opened within [$from, $until), with the four clocks of its repair as far as they
-- have run: what is not finished at $now is censored, not left out. Response: opened to arrival (or remote
-- connection); null where nobody told of one and the order went on without it. Active repair: repair started to
-- repaired, waits in between taken out. Turnaround: opened to returned to service, else closed. Waiting for parts: all
-- such waits of the order together; it runs while one of them does. Waits for others by party: what overlaps counts once for
-- each of them. An order is told and not observed: no part of it is unknown, and a clock that still runs is its own lower bound.
WITH lives AS ({order_lives}),
parties AS (
    SELECT
        device,
        work_order,
        CASE WHEN waiting_for IN ('vendor', 'parts', 'facility') THEN waiting_for ELSE 'own' END AS party,
        from_us,
        least(coalesce(until_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)) AS until_us,
        until_us AS ended_us
    FROM ({order_waits}) AS all_waits
    WHERE from_us < CAST($now AS BIGINT)
),
waits AS (
    -- Each from where the order does not wait already, for its party and for anybody.
    SELECT
        *,
        greatest(from_us, MAX(until_us) OVER (
            PARTITION BY device, work_order, party ORDER BY from_us, until_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )) AS party_from_us,
        greatest(from_us, MAX(until_us) OVER (
            PARTITION BY device, work_order ORDER BY from_us, until_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )) AS any_from_us
    FROM parties
),
waited AS (
    SELECT
        w.device,
        w.work_order,
        SUM(CASE w.party WHEN 'parts' THEN greatest(0, w.until_us - w.party_from_us) ELSE 0 END) AS parts_us,
        SUM(CASE w.party WHEN 'parts' THEN 1 ELSE 0 END) AS parts_waits,
        SUM(CASE WHEN w.party = 'parts' AND (w.ended_us IS NULL OR w.ended_us > CAST($now AS BIGINT)) THEN 1 ELSE 0 END)
            AS parts_waits_open,
        SUM(CASE w.party WHEN 'vendor' THEN greatest(0, w.until_us - w.party_from_us) ELSE 0 END) AS vendor_us,
        SUM(CASE w.party WHEN 'facility' THEN greatest(0, w.until_us - w.party_from_us) ELSE 0 END) AS facility_us,
        SUM(CASE w.party WHEN 'own' THEN greatest(0, w.until_us - w.party_from_us) ELSE 0 END) AS own_us,
        SUM(greatest(0,
            least(w.until_us, coalesce(l.repaired_us, l.returned_us, l.closed_us, CAST($now AS BIGINT)))
            - greatest(w.any_from_us, l.repair_started_us))) AS within_repair_us
    FROM waits AS w
    INNER JOIN lives AS l ON l.device = w.device AND l.work_order = w.work_order
    GROUP BY w.device, w.work_order
),
clocked AS (
    SELECT
        *,
        coalesce(returned_us, closed_us) AS finished_us,
        coalesce(repaired_us, returned_us, closed_us) AS mended_us
    FROM lives
    WHERE class = 'corrective' AND opened_us >= CAST($from AS BIGINT) AND opened_us < CAST($until AS BIGINT)
        AND opened_us <= CAST($now AS BIGINT) AND ($site = '' OR site = $site)
)
SELECT
    c.device,
    c.site,
    c.kind,
    c.work_order,
    c.cause_code,
    c.opened_us,
    c.finished_us,
    base_micros(c.site, c.kind, c.opened_us, least(coalesce(c.finished_us, CAST($now AS BIGINT)), CAST($until AS BIGINT))) AS base_us,
    CASE
        WHEN c.arrived_us <= CAST($now AS BIGINT) THEN c.arrived_us - c.opened_us
        WHEN c.repair_started_us <= CAST($now AS BIGINT) OR c.mended_us <= CAST($now AS BIGINT) THEN NULL
        ELSE CAST($now AS BIGINT) - c.opened_us
    END AS response_us,
    (c.arrived_us <= CAST($now AS BIGINT)) IS TRUE AS responded,
    CASE WHEN c.repair_started_us <= CAST($now AS BIGINT) THEN
        least(coalesce(c.mended_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)) - c.repair_started_us
        - coalesce(w.within_repair_us, 0) END AS repair_us,
    (c.mended_us <= CAST($now AS BIGINT)) IS TRUE AS repaired,
    coalesce(w.parts_us, 0) AS parts_us,
    coalesce(w.parts_waits, 0) AS parts_waits,
    coalesce(w.parts_waits_open, 0) = 0 AS parts_arrived,
    coalesce(w.vendor_us, 0) AS vendor_us,
    coalesce(w.facility_us, 0) AS facility_us,
    coalesce(w.own_us, 0) AS own_us,
    least(coalesce(c.finished_us, CAST($now AS BIGINT)), CAST($now AS BIGINT)) - c.opened_us AS turnaround_us,
    (c.finished_us <= CAST($now AS BIGINT)) IS TRUE AS finished
FROM clocked AS c
LEFT JOIN waited AS w ON w.device = c.device AND w.work_order = c.work_order
ORDER BY c.device, c.opened_us, c.work_order
