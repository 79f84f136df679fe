"""Elastic or screened? Inflated glasses against the theory of screened elasticity."""
