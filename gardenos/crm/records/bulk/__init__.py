"""Many operations on records in one request, each of which succeeds or fails for itself."""
