-- Part of a row: microseconds by condition out of parts (what, us, base_us, assumed_us, conflict_us).
    SUM(CASE WHEN what = 'registered' THEN us ELSE 0 END) AS registered,
    SUM(CASE WHEN what = 'productive' THEN us ELSE 0 END) AS productive,
    SUM(CASE WHEN what = 'standby' THEN us ELSE 0 END) AS standby,
    SUM(CASE WHEN what = 'engineering' THEN us ELSE 0 END) AS engineering,
    SUM(CASE WHEN what = 'scheduled_down' THEN us ELSE 0 END) AS scheduled_down,
    SUM(CASE WHEN what = 'unscheduled_down' THEN us ELSE 0 END) AS unscheduled_down,
    SUM(assumed_us) AS assumed,
    SUM(conflict_us) AS conflict,
    SUM(CASE WHEN what = 'registered' THEN base_us ELSE 0 END) AS base_registered,
    SUM(CASE WHEN what = 'productive' THEN base_us ELSE 0 END) AS base_productive,
    SUM(CASE WHEN what IN ('productive', 'standby', 'engineering') THEN base_us ELSE 0 END) AS base_up,
    SUM(CASE WHEN what IN ('scheduled_down', 'unscheduled_down') THEN base_us ELSE 0 END) AS base_down
