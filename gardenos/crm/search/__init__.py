"""One search over leads, contacts, companies, deals and what happened with them."""
