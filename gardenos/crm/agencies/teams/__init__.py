"""Teams: whose rows the scope `team` reaches."""
