"""Dataset scripts, model templates and whole flows, by path as guides refer to them, and importable."""
