"""Files that belong to records: what they are in PostgreSQL, their bytes in a folder or a bucket."""
