-- One row: one device as it is registered at the time of the cut, retired ones included.
SELECT
    device, site, kind, make, model, serial, department, room, asset_number, in_service_day,
    end_of_support_day, in_service, on_loan_to, acquisition_cost_cents, cost_centre, ownership,
    valid_from
FROM devices
WHERE CAST(valid_from AS BIGINT) <= CAST($now AS BIGINT)
    AND (valid_until IS NULL OR CAST(valid_until AS BIGINT) > CAST($now AS BIGINT))
GROUP BY
    device, site, kind, make, model, serial, department, room, asset_number, in_service_day,
    end_of_support_day, in_service, on_loan_to, acquisition_cost_cents, cost_centre, ownership,
    valid_from
HAVING SUM(weight) > 0
