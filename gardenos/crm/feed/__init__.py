"""The feed of changes: what was created, changed and deleted, by id, to whoever may read it."""
