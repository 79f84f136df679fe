"""Figures of local yield stresses: maps, distributions, strength against strain."""
