"""How much of everything there is: what a team looks at in the morning."""
