"""From many samples one: histograms, tails, means and their errors, added up file by file."""
