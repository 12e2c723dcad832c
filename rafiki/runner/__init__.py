"""The runners: one process per running job, trusted, without any user code."""
