-- One row: one device that was ever registered at the site asked about.
SELECT DISTINCT device
FROM devices
WHERE ($site = '' OR site = $site) AND ($kind = '' OR kind = $kind) AND ($device = '' OR device = $device)
