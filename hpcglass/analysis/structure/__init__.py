"""Structure of configurations: who are neighbours, how neighbourhoods move, pair correlations, bonds. NumPy and SciPy."""
