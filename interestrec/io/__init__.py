"""Files: schemas, validated reading and writing, atomic commits, locks, keys, encryption, downloads."""
