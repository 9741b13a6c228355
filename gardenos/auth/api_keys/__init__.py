"""API keys: how programs are known, each with a member's role, narrowed by scopes."""
