-- One row: one step in the life of one alert, as it stands in the topic of alerts. What the alert is about
-- stands in the step that raised it.
SELECT
    alert, at, step, rule, subject_kind, subject, part, site, kind, urgency, summary, began_at, late, fact_epoch,
    fact_seq, person, assignee, snoozed_until, level, ending, over_at, part_of, reason, finding, part_found,
    cause_offset AS log_offset, cause_index AS log_index
FROM alert_steps
