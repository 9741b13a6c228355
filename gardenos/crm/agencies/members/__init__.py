"""Who belongs to an agency, in which role, and who is invited to."""
