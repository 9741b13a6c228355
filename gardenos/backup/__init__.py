"""Backups of a PostgreSQL: full ones, the write-ahead log between them, and the way back to a moment."""
