"""Fakes for the seams (LLM, clock, queue) and factories, for our tests and for users' agents."""
