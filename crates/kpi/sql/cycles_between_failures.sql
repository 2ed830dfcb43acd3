-- One row: one counter of one device over [$from, $until): what it gained, and how many failures of the device began,
-- wherever it was: a counter goes with its device.
-- Cycles between failures (MCBF) of some devices are the sum of the one over the sum of the other.
WITH gained AS ({cycles}),
failed AS (
    SELECT device, COUNT(*) AS failures
    FROM ({failures}) AS episodes
    WHERE class = 'failure'
    GROUP BY device
)
SELECT
    g.device,
    g.site,
    g.kind,
    g.counter,
    g.component,
    g.unit,
    g.source,
    g.gained_milli,
    g.resets,
    coalesce(f.failures, 0) AS failures
FROM gained AS g
LEFT JOIN failed AS f ON f.device = g.device
ORDER BY g.device, g.counter, g.component, g.source
