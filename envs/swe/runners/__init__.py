"""Programs that run tests inside a sandbox and report each; they import nothing of ours."""
