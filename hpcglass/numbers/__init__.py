"""Numbers in, numbers out: power laws and their errors, shear bands in profiles."""
