"""GUI: real pages in a real browser."""
