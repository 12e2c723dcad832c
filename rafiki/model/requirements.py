"""What a model's `dependencies` install: the one table, and the plan and the shell command made from it."""

from __future__ import annotations

import re
import shlex
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SINGA_CHANNEL = "nusdbsystem"

#: What packages bring for GPUs, hundreds of megabytes each, and run without.
GPU_ONLY_PACKAGES = ("nvidia-nccl-cu12", "nvidia-nccl-cu13")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!*-]*")

_Release = Tuple[int, ...]


class InstallPlan(NamedTuple):
    """What to install into a fresh environment, in this order: `conda_packages`, then `requirements`."""

    requirements: List[str]  # of pip or uv, e.g. 'scikit-learn==1.5.0'
    extra_index_urls: List[str]  # where they are also looked for
    conda_packages: List[str]  # e.g. 'singa-cpu=1.2.0'
    conda_channels: List[str]
    python: Optional[str]  # version of the interpreter, where a dependency named `python` says so


class _Rule(NamedTuple):
    """How one dependency is installed. A package is a function of its release, as builds come and go."""

    cpu_package: Callable[[_Release], str]
    gpu_package: Callable[[_Release], str]
    cpu_index_url: Optional[str] = None
    conda_channel: Optional[str] = None
    also: Tuple[Tuple[str, str], ...] = ()  # (name, requirement) of what is installed with it unless declared


def _always(package: str) -> Callable[[_Release], str]:
    return lambda release: package


def _tensorflow_cpu(release: _Release) -> str:
    return "tensorflow-cpu" if release[:2] == (1, 15) or release >= (2, 1) else "tensorflow"


def _tensorflow_gpu(release: _Release) -> str:
    if release < (2, 1):
        return "tensorflow-gpu"
    return "tensorflow[and-cuda]" if release >= (2, 14) else "tensorflow"


def _xgboost_cpu(release: _Release) -> str:
    return "xgboost-cpu" if release >= (2, 1, 1) else "xgboost"


# By normalised name. Any other dependency is the PyPI package of its name and version.
_RULES: Dict[str, _Rule] = {
    "tensorflow": _Rule(_tensorflow_cpu, _tensorflow_gpu),
    "torch": _Rule(_always("torch"), _always("torch"), cpu_index_url=TORCH_CPU_INDEX),
    "torchvision": _Rule(_always("torchvision"), _always("torchvision"), cpu_index_url=TORCH_CPU_INDEX),
    "xgboost": _Rule(
        _xgboost_cpu,
        _always("xgboost"),
        also=(("scikit-learn", "scikit-learn"), ("pandas", "pandas<3")),  # templates use them
    ),
    "singa": _Rule(_always("singa-cpu"), _always("singa-gpu"), conda_channel=SINGA_CHANNEL),
}


# By normalised name: the distributions that may be installed for a dependency, besides the one of its own name.
_BUILDS: Dict[str, Tuple[str, ...]] = {
    "tensorflow": ("tensorflow-cpu", "tensorflow-gpu"),
    "xgboost": ("xgboost-cpu",),
    "singa": ("singa-cpu", "singa-gpu"),
}


def distributions_of(name: str) -> Tuple[str, ...]:
    """Normalised names of the distributions that are the dependency `name`: its own, and those of its builds."""
    key = normalized_name(name)
    return (key, *_BUILDS.get(key, ()))


def install_plan(dependencies: Optional[Mapping[str, str]], gpu: bool = False) -> InstallPlan:
    """The plan for `{name: version}`; a version may be empty, which is any.

    TypeError or ValueError names what is no package's name or version. Nothing else gets through, so that a plan is
    safe to put on a command line.
    """
    plan = InstallPlan([], [], [], [], _checked(dependencies or {}).get("python"))
    declared = {normalized_name(name) for name in dependencies or {}}
    for name, version in (dependencies or {}).items():
        key = normalized_name(name)
        if key == "python":
            continue
        rule = _RULES.get(key, _Rule(_always(name), _always(name)))
        package = (rule.gpu_package if gpu else rule.cpu_package)(_release(version))
        if rule.conda_channel is not None:
            plan.conda_packages.append(f"{package}={version}" if version else package)
            _add(plan.conda_channels, rule.conda_channel)
            continue
        plan.requirements.append(f"{package}=={version}" if version else package)
        if rule.cpu_index_url is not None and not gpu:
            _add(plan.extra_index_urls, rule.cpu_index_url)
        for also_name, requirement in rule.also:
            if also_name not in declared:
                _add(plan.requirements, requirement)
    return plan


def parse_model_install_command(dependencies: Optional[Mapping[str, str]], enable_gpu: bool = False) -> str:
    """The shell command that installs `dependencies`, '' where there is nothing to install."""
    plan = install_plan(dependencies, enable_gpu)
    commands = []
    if plan.conda_packages:
        channels = [word for channel in plan.conda_channels for word in ("-c", channel)]
        commands.append(["conda", "install", "--yes", *channels, *plan.conda_packages])
    if plan.requirements:
        indexes = [word for url in plan.extra_index_urls for word in ("--extra-index-url", url)]
        commands.append(["pip", "install", *plan.requirements, *indexes])
    return " && ".join(" ".join(shlex.quote(word) for word in command) for command in commands)


def normalized_name(name: str) -> str:
    """The name by which PyPI knows a package: case, `-`, `_` and `.` make no difference."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _checked(dependencies: Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(dependencies, Mapping):
        raise TypeError(f"dependencies must be a dict of versions by name, got {dependencies!r}")
    for name, version in dependencies.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a package")
        if not isinstance(version, (str, type(None))):
            raise TypeError(f"the version of {name} must be a str, got {version!r} ({type(version).__name__})")
        if version and not _VERSION.fullmatch(version):
            raise ValueError(f"the version of {name} must be one such as '1.2.0', got {version!r}")
    return dependencies


def _release(version: Optional[str]) -> _Release:
    """The numbers that a version starts with; the newest of all where it is empty."""
    if not version:
        return (10**6,)
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in numbers.group().split(".")) if numbers else ()


def _add(words: List[str], word: str) -> None:
    if word not in words:
        words.append(word)
