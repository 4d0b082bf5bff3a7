"""Where code runs; one driver a file, chosen by name."""
