"""Whether a record is one that is there already: by e-mail, telephone number, domain, or names."""
