"""What a model's code runs in."""

from rafiki.environment.builder import Environment, resolve_environment, worker_part

__all__ = ["Environment", "resolve_environment", "worker_part"]
