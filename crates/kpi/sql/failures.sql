-- One row: one episode of trouble of one device that began within [$from, $until).
-- Class `failure`: a corrective order, or a down that a person told or that nothing ended; all downs under one
-- order are one. Class `repeat`: such an episode within seven days after the end of the one before. Class
-- `interrupt`: a down of the device's own word that ended by itself, with no order. An order opened within a day
-- after a down began is about it. Nothing begins outside the time in service. It was down for `down` as told, for `conflict`
-- less at the least (use was seen meanwhile), and for all that it `lasted` at the most. How much was seen at all is told of a device, not of
-- an episode. 86400000000 and 604800000000 are one and seven days in microseconds.
WITH troubles AS ({trouble}),
lives AS (
    SELECT *, coalesce(returned_us, closed_us) AS finished_us
    FROM ({order_lives}) AS all_orders
    WHERE class = 'corrective'
),
paired AS (
    SELECT
        t.*,
        l.work_order,
        row_number() OVER (PARTITION BY t.device, t.onset_us ORDER BY l.opened_us, l.work_order) AS nth
    FROM troubles AS t
    LEFT JOIN lives AS l
        ON l.device = t.device
        AND l.opened_us < greatest(t.until_us, t.onset_us + 86400000000)
        AND (l.finished_us IS NULL OR l.finished_us > t.onset_us)
),
attached AS (SELECT * FROM paired WHERE nth = 1),
grouped AS (
    -- Each order with all its downs; each down without an order for itself.
    SELECT
        coalesce(l.device, a.device) AS device,
        MIN(coalesce(l.site, a.site)) AS site,
        MIN(coalesce(l.kind, a.kind)) AS kind,
        l.work_order,
        MIN(l.cause_code) AS cause_code,
        MIN(l.opened_us) AS opened_us,
        MIN(l.finished_us) AS finished_us,
        MIN(a.onset_us) AS first_us,
        MAX(a.until_us) AS last_us,
        coalesce(SUM(a.down_us), 0) AS down_us,
        coalesce(SUM(a.conflict_us), 0) AS conflict_us,
        COUNT(a.onset_us) AS downs,
        coalesce(bool_or(a.in_use), FALSE) AS in_use,
        coalesce(bool_or(a.told), FALSE) AS told,
        coalesce(bool_or(a.recovered), FALSE) AS recovered
    FROM lives AS l
    FULL JOIN attached AS a ON a.device = l.device AND a.work_order = l.work_order
    GROUP BY coalesce(l.device, a.device), l.work_order, CASE WHEN l.work_order IS NULL THEN a.onset_us END
),
episodes AS (
    SELECT
        device,
        site,
        kind,
        CASE WHEN work_order IS NULL THEN first_us ELSE least(coalesce(first_us, opened_us), opened_us) END AS onset_us,
        CASE
            WHEN work_order IS NULL THEN CASE WHEN recovered THEN last_us END
            WHEN finished_us IS NOT NULL THEN greatest(coalesce(last_us, finished_us), finished_us)
        END AS ended_us,
        down_us,
        conflict_us,
        downs,
        in_use,
        work_order,
        cause_code,
        CASE
            WHEN work_order IS NOT NULL AND downs > 0 THEN 'order_and_down'
            WHEN work_order IS NOT NULL THEN 'order'
            WHEN told THEN 'told'
            WHEN recovered THEN 'self_recovered'
            ELSE 'not_recovered'
        END AS evidence
    FROM grouped
),
followed AS (
    -- Interrupts are followed by nothing, and follow nothing.
    SELECT
        *,
        MAX(CASE WHEN evidence <> 'self_recovered' THEN coalesce(ended_us, CAST($now AS BIGINT)) END)
            OVER (PARTITION BY device ORDER BY onset_us, down_us DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS ended_before_us
    FROM episodes
),
served AS (
    SELECT f.*
    FROM followed AS f
    LEFT JOIN ({service_times}) AS s
        ON s.device = f.device AND s.from_us <= f.onset_us AND (s.until_us IS NULL OR s.until_us > f.onset_us)
    LEFT JOIN ({registered}) AS r ON r.device = f.device
    WHERE s.device IS NOT NULL OR r.device IS NULL
)
SELECT
    device,
    site,
    kind,
    CASE
        WHEN evidence = 'self_recovered' THEN 'interrupt'
        WHEN onset_us - ended_before_us <= 604800000000 THEN 'repeat'
        ELSE 'failure'
    END AS class,
    evidence,
    onset_us,
    ended_us,
    coalesce(ended_us, CAST($now AS BIGINT)) - onset_us AS lasted_us,
    base_micros(site, kind, onset_us, least(coalesce(ended_us, CAST($now AS BIGINT)), CAST($until AS BIGINT))) AS base_us,
    down_us,
    conflict_us,
    downs,
    in_use,
    work_order,
    cause_code
FROM served
WHERE onset_us >= CAST($from AS BIGINT) AND onset_us < CAST($until AS BIGINT)
    AND ($site = '' OR site = $site)
ORDER BY device, onset_us
