"""Webhooks: programs elsewhere are told of changes, signed, once each, until they have taken them."""
