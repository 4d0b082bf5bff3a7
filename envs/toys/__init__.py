"""Three small environments, each the test bed of one shape of task."""
