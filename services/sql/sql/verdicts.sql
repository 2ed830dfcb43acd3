-- One row: what the fold answered to one request about one device.
SELECT request, subject, verdict, reason, at
FROM verdicts
