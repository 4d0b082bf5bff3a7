"""Tasks from real repositories: bugs put into pinned releases, judged by their own tests."""
