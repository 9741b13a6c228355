"""What each role may do, and which fields it sees and sets."""
