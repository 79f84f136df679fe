"""The stage `strength`: local yield stresses."""
