"""Lists as files: CSV, JSON Lines and Excel workbooks, of any length."""
