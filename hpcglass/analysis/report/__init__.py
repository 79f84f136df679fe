"""A page of a run, an ensemble or a sweep: one HTML file that needs nothing else."""
