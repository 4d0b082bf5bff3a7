"""Word indexes that environments search: ranking, BM25, and their place in the cache folder."""
