"""The figures of five papers as entries of tools/gallery: what is run, which number is taken from it, what the paper has."""
