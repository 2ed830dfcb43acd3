-- One row: one entry of `heads` that had begun before an instant; what ended there or later was still open. The last signs
-- of life of agents stay: up to them something was heard.
SELECT * REPLACE (CASE WHEN {until} < {at} THEN {until} END AS {until})
FROM {table}
WHERE role = 'agent' OR {from} < {at}
