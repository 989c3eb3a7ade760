"""Object changes to batches: exact bytes, age, one key in flight at a time, conflation."""
