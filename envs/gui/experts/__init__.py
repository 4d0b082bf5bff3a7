"""Players of MiniWoB's tasks, by rules over what an observation says."""
