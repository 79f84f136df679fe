"""Structural indicators: numbers of each particle that may foretell where a glass yields; one file per family.

An indicator is a name, the end of its values that is soft, what it needs (positions only, potential, Hessian, factors, modes,
cavity), and `compute(system, params)`, a value for each owned particle.
"""
