"""Records that may be the same: pairs that a sweep finds, and what is done about them."""
