"""Rollouts to weights: engines, rewards, credit, loss, and the train step. Imports no torch."""
