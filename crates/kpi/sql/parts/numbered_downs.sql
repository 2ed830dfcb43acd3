-- One row: one row of `downs`, with the number of its block among its device's. What touches is one block: the ledger
-- cuts at hours.
SELECT
    *,
    SUM(CASE WHEN before_us >= from_us THEN 0 ELSE 1 END)
        OVER (PARTITION BY device ORDER BY from_us, until_us ROWS UNBOUNDED PRECEDING) AS block
FROM (
    SELECT
        *,
        MAX(until_us) OVER (
            PARTITION BY device ORDER BY from_us, until_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before_us
    FROM downs
) AS preceded
