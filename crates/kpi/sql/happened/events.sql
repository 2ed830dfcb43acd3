-- One row: one entry of `{table}` about what had happened before an instant.
SELECT *
FROM {table}
WHERE {from} < {at}
