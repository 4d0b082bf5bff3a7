"""What generates: one engine a file."""
