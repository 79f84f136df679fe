"""Files of other programs, one module per format: `read(path, dimension)` and `write(configuration, path)`."""
