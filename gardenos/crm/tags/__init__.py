"""Tags of an agency, and the records that carry them."""
