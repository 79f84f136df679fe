"""A patch of particles, free to move, in a matrix that follows the affine strain: what one place of a glass can bear."""
