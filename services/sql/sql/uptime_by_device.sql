-- One row: one device from `from_at` to `until_at`, at one site and of one kind; the columns mean what
-- they mean in `uptime`.
WITH sums AS ({seconds_by_device}),
totals AS ({totals})
SELECT
    device,
    site,
    kind,
    {figures}
FROM totals
