"""What people do to the queue: cancel and replay tasks, pause, limit, schedule. One noun per module."""
