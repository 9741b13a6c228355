"""Agencies: the tenants of an installation."""
