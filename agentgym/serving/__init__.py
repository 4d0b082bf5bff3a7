"""Pages for this machine's browser alone: one loopback socket, and who may ask there."""
