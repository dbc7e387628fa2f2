"""Updates to runs, epochs and batches."""
