"""The leaf: values and names every other package shares. Imports nothing else of ours."""
