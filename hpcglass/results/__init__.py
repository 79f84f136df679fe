"""Results by one call: a run, an ensemble, a sweep, a directory of them, a file."""
