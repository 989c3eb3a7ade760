"""File, environment and mounted secrets to one validated settings tree, all faults at once."""
