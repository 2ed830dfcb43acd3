-- One row: one definition of one site, with its weight and cause: -1 withdraws it.
SELECT
    site,
    name,
    time_zone,
    region,
    demo,
    CAST(valid_from AS BIGINT) AS valid_from_us,
    CAST(recorded_at AS BIGINT) AS recorded_at_us,
    weight,
    cause_topic,
    cause_partition,
    cause_offset
FROM sites
