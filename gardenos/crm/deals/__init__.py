"""Deals: what is being sold to whom, for how much, and how far it has come."""
