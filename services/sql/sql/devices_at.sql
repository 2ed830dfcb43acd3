-- One row: one device as it was registered at an instant.
SELECT
    device, site, kind, make, model, serial, department, room, asset_number, in_service_day,
    end_of_support_day, in_service, on_loan_to, acquisition_cost_cents, cost_centre, ownership,
    valid_from, valid_until
FROM devices
WHERE CAST(valid_from AS BIGINT) <= CAST($at AS BIGINT)
    AND (valid_until IS NULL OR CAST(valid_until AS BIGINT) > CAST($at AS BIGINT))
GROUP BY
    device, site, kind, make, model, serial, department, room, asset_number, in_service_day,
    end_of_support_day, in_service, on_loan_to, acquisition_cost_cents, cost_centre, ownership,
    valid_from, valid_until
HAVING SUM(weight) > 0
