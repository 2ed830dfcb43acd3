-- One row: the part of one row of `heard` that lies within one of the `spans` in service of its device, at the site and as the
-- kind that it was heard at; of a device that nobody ever registered the whole of it.
SELECT
    h.* EXCLUDE (from_us, until_us),
    r.device IS NULL AND h.condition <> 'unknown' AS unregistered,
    greatest(h.from_us, coalesce(s.from_us, h.from_us)) AS from_us,
    least(h.until_us, coalesce(s.until_us, h.until_us)) AS until_us
FROM heard AS h
LEFT JOIN spans AS s
    ON s.device = h.device AND s.site = h.site AND s.kind = h.kind
    AND s.from_us < h.until_us AND s.until_us > h.from_us
LEFT JOIN ({registered}) AS r ON r.device = h.device
WHERE s.device IS NOT NULL OR r.device IS NULL
