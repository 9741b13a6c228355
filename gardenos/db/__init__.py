"""PostgreSQL: the pool, sessions that are permissions, SQL blocks, migrations, the embedded server."""
