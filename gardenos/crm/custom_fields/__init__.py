"""Fields of an agency's own: what a key of `custom` means for an entity, and how lists compare it."""
