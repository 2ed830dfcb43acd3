-- One row: what was true of one device from `valid_from` (included) to `valid_until` (excluded,
-- null: still).
SELECT
    device, site, kind, make, model, serial, department, room, asset_number, in_service_day,
    end_of_support_day, in_service, on_loan_to, acquisition_cost_cents, cost_centre, ownership,
    valid_from, valid_until
FROM devices
GROUP BY
    device, site, kind, make, model, serial, department, room, asset_number, in_service_day,
    end_of_support_day, in_service, on_loan_to, acquisition_cost_cents, cost_centre, ownership,
    valid_from, valid_until
HAVING SUM(weight) > 0
