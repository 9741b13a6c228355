"""Saved views: the filters, order and columns of a list under a name."""
