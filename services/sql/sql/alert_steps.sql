-- One row: one step in the life of one alert, as it stands in the topic of alerts. What the alert is about
-- stands in the step that raised it. `model`, `voice`, `horizon_hours` and `chance` are of the score that brought the
-- step about, where one did.
SELECT
    alert, at, step, rule, subject_kind, subject, part, site, kind, urgency, summary, began_at, late, fact_epoch,
    fact_seq, model, voice, horizon_hours, chance_ppm / 1000000.0 AS chance, person, assignee, snoozed_until, level,
    ending, over_at, part_of, reason, finding, part_found,
    cause_offset AS log_offset, cause_index AS log_index
FROM alert_steps
