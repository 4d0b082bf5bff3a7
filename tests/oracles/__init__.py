"""Slow, obvious references, written from the equations and rules; they never import the product."""
