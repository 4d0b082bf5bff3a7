"""The built-in environments, one folder each; imported when first made."""
