"""BrowserGym: its environments as ours."""
