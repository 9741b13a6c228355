"""Tasks: what a member has to do; what agents have to do is in the orchestrator's queue."""
