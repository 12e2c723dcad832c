"""The command line: `rafiki --help`."""
