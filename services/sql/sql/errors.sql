-- One row: one error code that one device reported, after corrections. `day` prunes files: name it in
-- WHERE.
SELECT device, site, kind, day, at, code, family, severity, component, cause_domain, text
FROM errors
GROUP BY
    device, site, kind, day, at, code, family, severity, component, cause_domain, text, epoch, seq
HAVING SUM(weight) > 0
