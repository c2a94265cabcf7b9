"""From bytes to relations: files, encodings, lines, records, and the database that holds a raw log."""
