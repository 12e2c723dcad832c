"""What holds of workers in containers as of all others."""

from tests.unit.executor.test_logs import *  # noqa: F403
