-- One row: one time in service of one device, wherever it was.
SELECT device, from_us, until_us FROM ({device_versions}) AS service_versions WHERE in_service
