"""Tables over many runs: rows of each, joined; as pandas and xarray have them."""
