"""What happened with a record: activities, changes of its fields and runs of agents, in one order."""
