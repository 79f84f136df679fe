"""The stage `expand`: response to strain, to third order."""
