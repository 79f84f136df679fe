"""The stage `shear`: athermal quasistatic deformation, and what watches it."""
