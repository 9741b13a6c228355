"""The command line: `gardenos`, which `./garden` hands over to."""
