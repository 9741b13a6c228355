"""Files that are more than text: unpacked, workbooks, and lines of JSON, within bounds."""
