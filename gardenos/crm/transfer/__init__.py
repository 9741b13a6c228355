"""Files in and out: CSV into leads."""
