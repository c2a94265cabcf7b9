"""Files: schemas, checked reading and writing, commits, locks, keys, encryption, downloads."""
