"""Readers of other programs' files, one module per format: `read(path, dimension)`. What none can be sure of is refused."""
