-- One row: one entry of `{table}` that had begun before an instant; what ended there or later was still open.
SELECT * REPLACE (CASE WHEN {until} < {at} THEN {until} END AS {until})
FROM {table}
WHERE {from} < {at}
