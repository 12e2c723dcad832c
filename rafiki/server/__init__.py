"""The server: HTTP API, supervision of jobs, and the program that `rafiki serve` runs."""
