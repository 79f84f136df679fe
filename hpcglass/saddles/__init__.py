"""Ways out of a minimum: saddles found by pulling at discs of particles, and what they cost."""
