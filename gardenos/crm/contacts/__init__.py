"""Contacts: people one does business with."""
