"""Softness: labels of particles from critical modes, and the plane that a support vector machine finds between them."""
