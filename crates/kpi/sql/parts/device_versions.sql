-- One row: what was true of one device from `from_us` (included) to `until_us` (excluded, null: still).
SELECT
    device,
    site,
    kind,
    make,
    model,
    serial,
    department,
    room,
    asset_number,
    in_service_day,
    end_of_support_day,
    in_service,
    on_loan_to,
    cost_centre,
    ownership,
    CAST(valid_from AS BIGINT) AS from_us,
    CAST(valid_until AS BIGINT) AS until_us
FROM devices
GROUP BY
    device, site, kind, make, model, serial, department, room, asset_number, in_service_day,
    end_of_support_day, in_service, on_loan_to, cost_centre, ownership, valid_from, valid_until
HAVING SUM(weight) > 0
