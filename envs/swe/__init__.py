"""SWE: mend a package in a sandbox; paid by tests that the agent never sees."""
