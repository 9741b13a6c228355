"""Activities: what happened with somebody, in one timeline that nothing changes."""
