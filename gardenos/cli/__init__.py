"""The command line: `gardenos`, and `./garden`, which installs and then hands over to it."""
