-- One row: the cut that every answer of this statement comes from (of this transaction, within one).
-- `lag_records` are the records in the log that the cut does not contain, as of the last look for a
-- newer cut; null where the log cannot be asked.
SELECT
    CAST($cut AS BIGINT) AS cut,
    instant(CAST($now AS BIGINT)) AS made_at,
    instant(CAST($newest AS BIGINT)) AS newest_appended_at,
    lag_records() AS lag_records
