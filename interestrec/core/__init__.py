"""The ground floor: errors, schemas, artifacts, files, configuration, catalogue look-up, progress."""
