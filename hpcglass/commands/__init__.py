"""One file per command: `add_options(parser)` and `main(options) -> exit code`; light to import."""
