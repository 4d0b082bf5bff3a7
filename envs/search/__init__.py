"""Questions whose answers a search engine finds, one hop at a time."""
