"""Files of other programs, one module per format: `write(configuration, path)`, and `read(path, dimension)` in readers/."""
