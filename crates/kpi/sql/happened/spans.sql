-- One row: one entry of `{table}` that had begun before an instant, cut there: it had not come to its end.
SELECT * REPLACE (least({until}, {at}) AS {until})
FROM {table}
WHERE {from} < {at}
