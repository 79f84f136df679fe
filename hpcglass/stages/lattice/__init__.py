"""The stages `epm` and `calibrate`: the elasto-plastic lattice model."""
