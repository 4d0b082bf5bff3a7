"""A user's own records of SWE-bench, SWE-Gym and SWE-smith, each with an image to work in."""
