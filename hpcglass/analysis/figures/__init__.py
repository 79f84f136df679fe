"""One file per kind of figure; each adds itself to the catalogue, and draw goes through it."""
