"""What a model's code runs in."""

from rafiki.environment.build import BuiltEnvironment, EnvironmentBuilder
from rafiki.environment.environment import Environment, find_environment, image_of
from rafiki.environment.folder import EnvironmentFolder, EnvironmentInfo
from rafiki.environment.worker_part import worker_part

__all__ = [
    "BuiltEnvironment",
    "Environment",
    "EnvironmentBuilder",
    "EnvironmentFolder",
    "EnvironmentInfo",
    "find_environment",
    "image_of",
    "worker_part",
]
