-- One row: one block of `ended`, with the number of its island: blocks between which nothing says that the device worked.
SELECT
    *,
    SUM(CASE WHEN up_before THEN 1 ELSE 0 END)
        OVER (PARTITION BY device ORDER BY block ROWS UNBOUNDED PRECEDING) AS island
FROM (SELECT *, lag(up_after) OVER (PARTITION BY device ORDER BY block) AS up_before FROM ended) AS separated
