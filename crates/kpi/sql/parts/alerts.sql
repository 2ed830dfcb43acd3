-- One row: one alert, from the step that raised it to what became of it. An alert that was reopened was opened
-- again at `opened_at`: end and escalations are those since then. One that ended as part of a larger one names it. It is acknowledged by whoever took it since it called last: when it
-- was opened, given to somebody else or put to sleep. `model`, `voice`, `horizon_hours` and
-- `chance` are of the score that raised it.
WITH steps AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY alert ORDER BY cause_offset, cause_index) AS nth
    FROM alert_steps
),
placed AS (
    SELECT
        *,
        -- Nothing opened it again after this step.
        MAX(CASE WHEN step IN ('raised', 'reopened') THEN nth END) OVER (
            PARTITION BY alert
            ORDER BY nth DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) IS NULL AS is_since,
        MAX(CASE WHEN step IN ('raised', 'reopened', 'snoozed') OR (step = 'assigned' AND assignee <> person) THEN nth END)
            OVER (PARTITION BY alert ORDER BY nth DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) IS NULL AS is_since_call,
        step = 'acknowledged' OR (step = 'assigned' AND assignee = person) AS takes
    FROM steps
),
lives AS (
    SELECT
        alert,
        MAX(rule) AS rule,
        MAX(urgency) AS urgency,
        MAX(site) AS site,
        MAX(kind) AS kind,
        MAX(subject_kind) AS subject_kind,
        MAX(subject) AS subject,
        MAX(part) AS part,
        MAX(summary) AS summary,
        MAX(CASE WHEN step = 'raised' THEN at END) AS raised_at,
        MAX(CASE WHEN is_since AND step IN ('raised', 'reopened') THEN at END) AS opened_at,
        MAX(CASE WHEN is_since THEN began_at END) AS began_at,
        BOOL_OR(COALESCE(is_since AND late, FALSE)) AND NOT BOOL_OR(is_since AND step = 'goes_on') AS late,
        MIN(CASE WHEN is_since_call AND takes THEN at END) AS acknowledged_at,
        FIRST_VALUE(person ORDER BY nth) FILTER (WHERE is_since_call AND takes) AS acknowledged_by,
        LAST_VALUE(assignee ORDER BY nth) FILTER (WHERE is_since AND step = 'assigned') AS assigned_to,
        LAST_VALUE(snoozed_until ORDER BY nth) FILTER (WHERE is_since AND step = 'snoozed') AS snoozed_until,
        COALESCE(MAX(CASE WHEN is_since THEN level END), 0) AS escalations,
        SUM(CASE WHEN step = 'reopened' THEN 1 ELSE 0 END) AS times_reopened,
        MAX(CASE WHEN is_since AND step = 'resolved' THEN at END) AS ended_at,
        MAX(CASE WHEN is_since THEN ending END) AS ending,
        MAX(CASE WHEN is_since THEN over_at END) AS over_at,
        MAX(CASE WHEN is_since THEN part_of END) AS part_of,
        MAX(CASE WHEN is_since THEN reason END) AS reason,
        BOOL_OR(step = 'cause_withdrawn') AS withdrawn,
        LAST_VALUE(finding ORDER BY nth) FILTER (WHERE step = 'judged') AS finding,
        LAST_VALUE(part_found ORDER BY nth) FILTER (WHERE step = 'judged') AS part_found,
        MAX(CASE WHEN step = 'judged' THEN at END) AS judged_at,
        MAX(CASE WHEN step = 'raised' THEN model END) AS model,
        MAX(CASE WHEN step = 'raised' THEN voice END) AS voice,
        MAX(CASE WHEN step = 'raised' THEN horizon_hours END) AS horizon_hours,
        MAX(CASE WHEN step = 'raised' THEN chance_ppm END) / 1000000.0 AS chance
    FROM placed
    GROUP BY alert
)
SELECT
    l.alert, l.rule, l.urgency, l.site, l.kind, l.subject_kind, l.subject,
    CASE WHEN l.subject_kind = 'device' THEN l.subject END AS device,
    l.part, l.summary, l.began_at, l.raised_at, l.opened_at, l.late,
    l.ended_at IS NULL AND NOT l.withdrawn AS open,
    l.acknowledged_at, l.acknowledged_by,
    (CAST(l.acknowledged_at AS BIGINT) - CAST(l.opened_at AS BIGINT)) / 1000000 AS acknowledge_seconds,
    l.assigned_to, l.snoozed_until, l.escalations, l.times_reopened,
    l.ended_at, l.ending, l.over_at, l.part_of, l.reason, l.withdrawn,
    l.finding, l.part_found, l.judged_at,
    CASE
        WHEN l.finding IN ('confirmed', 'other_part', 'wear_replaced') THEN TRUE
        WHEN l.finding = 'nothing_found' THEN FALSE
    END AS was_right,
    l.model, l.horizon_hours, l.voice, l.chance
FROM lives AS l
