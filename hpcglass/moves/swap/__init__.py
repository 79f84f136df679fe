"""Swap Monte Carlo: `run` is the entry, the rest its parts."""
