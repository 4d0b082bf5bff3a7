"""The viewer: a run's episodes as a page on this machine's loopback address, read-only."""
