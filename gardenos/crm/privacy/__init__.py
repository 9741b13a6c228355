"""What is known of a person: found, handed over, erased."""
