-- One row: one device that the inventory knows, in service or not.
SELECT DISTINCT device FROM ({device_versions}) AS known_versions
