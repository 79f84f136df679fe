"""What keeps a run directory in order: lock, log, signals, guard, progress, timing, literature."""
