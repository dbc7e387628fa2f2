"""Bytes to updates, messages and rejects."""
