"""Records that cannot be placed: a pure envelope, an acknowledged producer, and the fuse."""
