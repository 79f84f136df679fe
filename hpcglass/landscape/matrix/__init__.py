"""The Hessian as a distributed matrix, and what is solved with it."""
