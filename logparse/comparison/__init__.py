"""Runs against runs: which is faster, by how much, how sure that is, and what each reaches."""
