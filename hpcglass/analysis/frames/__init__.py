"""Configurations of a run as objects: frames of trajectories, before and after events, and as other libraries have them."""
