"""What every route shares: problems, services, preconditions, idempotency. Knows no noun."""
