"""Runnable recipes; start them from the root of the repository: `python -m examples.NAME`."""
