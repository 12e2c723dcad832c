"""What holds of workers in containers as of all others."""

from tests.unit.executor.test_failures import *  # noqa: F403
