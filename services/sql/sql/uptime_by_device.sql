-- One row: one device over the period, at one site and of one kind; the columns mean what they mean in `uptime`.
WITH spent AS ({uptime}),
sums AS (
    SELECT device, site, kind, {sums}
    FROM spent
    GROUP BY device, site, kind
),
totals AS ({totals})
SELECT
    device,
    site,
    kind,
    {figures}
FROM totals
