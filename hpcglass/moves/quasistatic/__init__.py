"""Along an elastic branch and over its end: the steps of athermal quasistatic loading."""
