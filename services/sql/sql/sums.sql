-- Part of a row: rows of devices (uptime.sql of crates/kpi) added up, in microseconds.
    CAST(SUM(CASE WHEN in_service_us > 0 THEN 1 ELSE 0 END) AS BIGINT) AS devices,
    CAST(SUM(CASE WHEN in_service_us > 0
        AND productive_us + standby_us + engineering_us + scheduled_down_us + unscheduled_down_us > 0
        THEN 1 ELSE 0 END) AS BIGINT) AS monitored,
    SUM(in_service_us) AS registered,
    SUM(productive_us) AS productive,
    SUM(standby_us) AS standby,
    SUM(engineering_us) AS engineering,
    SUM(scheduled_down_us) AS scheduled_down,
    SUM(unscheduled_down_us) AS unscheduled_down,
    SUM(assumed_us) AS assumed,
    SUM(conflict_us) AS conflict,
    SUM(base_us) AS base_registered,
    SUM(base_productive_us) AS base_productive,
    SUM(base_up_us) AS base_up,
    SUM(base_scheduled_down_us) AS base_scheduled_down,
    SUM(base_unscheduled_down_us) AS base_unscheduled_down,
    SUM(base_conflict_us) AS base_conflict,
    SUM(base_own_wait_us) AS base_own_wait,
    SUM(base_supplier_wait_us) AS base_supplier_wait,
    SUM(base_facility_wait_us) AS base_facility_wait
