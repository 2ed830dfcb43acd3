-- One row: one standing fact that people or their records said of a device, with its bytes as they were archived. A void names the seqs
-- of its own epoch that it takes back; the reader of these rows leaves those out.
SELECT subject, kind, epoch, seq, epoch_us("at") // 1000000 AS second, bytes
FROM facts
WHERE kind IN ('order', 'pm_done', 'component_replaced', 'voided') AND verdict = 'new'
ORDER BY subject, seq
