"""What a worker's container is made of, as the Docker API wants it: the same files, limits and barriers as a sandbox.

It sees the files that the worker was given at their own paths, read-only but for its own folders; its image is
read-only, too. It has no network unless that is allowed, no capabilities, and processes of its own.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rafiki.environment.engine import EngineAbilities
from rafiki.errors import EnvironmentBuildError
from rafiki.executor.base import WorkerSpec
from rafiki.executor.variables import worker_variables

#: Where a worker finds the socket of its runner.
SOCKET_DIR = "/run/rafiki"
SOCKET_NAME = "worker"
#: What the engine keeps of what is printed before the worker is connected.
_MAX_ENGINE_LOG = "1m"
_MAX_USER_TASKS = 16_384


def container_config(spec: WorkerSpec, engine: EngineAbilities, socket_dir: Path) -> dict[str, Any]:
    """Raises `EnvironmentBuildError` where the engine cannot grant the worker its GPUs."""
    # The indices of GPUs begin anew in a container that sees none but its own.
    variables = worker_variables(spec, range(len(spec.gpus)))
    if not spec.gpus:
        variables["NVIDIA_VISIBLE_DEVICES"] = "void"  # where NVIDIA's runtime is the engine's default
    return {
        "Image": spec.environment.image,
        "Entrypoint": ["python3", "-m", "rafiki.worker"],
        "Cmd": [_start(spec)],
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "User": "0:0" if engine.is_rootless else f"{os.getuid()}:{os.getgid()}",  # who owns the worker's folders
        # `-m` puts the working directory first on the path: ours, whence the worker goes to its scratch folder.
        "WorkingDir": str(spec.environment.worker_part),
        "Hostname": "rafiki-worker",
        "NetworkDisabled": not spec.allowance.has_network,
        "Labels": {"rafiki.worker": spec.worker_id},
        "HostConfig": {**_barriers(spec, socket_dir), **_limits(spec, engine), **_gpus(spec, engine)},
    }


def _start(spec: WorkerSpec) -> str:
    """The fields of the worker program's `Start`."""
    start = {
        "socket_path": f"{SOCKET_DIR}/{SOCKET_NAME}",
        "parent_pid": 0,  # the first process of a container has none
        "model_path": str(spec.model_path),
        "model_class": spec.model_class,
        "scratch_dir": str(spec.scratch_dir),
        "cache_dir": str(spec.cache_dir) if spec.cache_dir is not None else None,
        "is_confined": True,
        "is_container": True,
        "has_network": spec.allowance.has_network,
        "max_tasks": None,  # the engine sees to that
    }
    return json.dumps(start)


def _barriers(spec: WorkerSpec, socket_dir: Path) -> dict[str, Any]:
    allowance = spec.allowance
    memory_bytes = allowance.limits.memory_bytes
    size = "" if memory_bytes is None else f",size={memory_bytes // 2}"
    masks = {str(hidden): "ro,size=4k" for hidden in allowance.hidden if _is_shown(hidden, allowance.readable)}
    return {
        "Mounts": [*_mounts(spec), _mount(socket_dir, SOCKET_DIR, is_read_only=False)],
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": f"rw,nosuid,nodev,mode=1777{size}", **masks},
        **({} if memory_bytes is None else {"ShmSize": memory_bytes // 2}),
        "CapDrop": ["ALL"],
        # A label of its own would keep it from the files that it is given, on machines with SELinux.
        "SecurityOpt": ["no-new-privileges", "label=disable"],
        "IpcMode": "private",
        **({} if allowance.has_network else {"NetworkMode": "none"}),
        "OomScoreAdj": 500,  # before anything of ours, the kernel ends a worker when the machine is out of memory
        "LogConfig": {"Type": "json-file", "Config": {"max-size": _MAX_ENGINE_LOG}},
    }


def _mounts(spec: WorkerSpec) -> Iterator[dict[str, Any]]:
    """Outer folders first: what is mounted later lies over what is there."""
    read_only = dict.fromkeys((spec.environment.worker_part, spec.model_path, *spec.allowance.readable), True)
    read_only |= dict.fromkeys((spec.scratch_dir, *([] if spec.cache_dir is None else [spec.cache_dir])), False)
    for path, is_read_only in sorted(read_only.items()):
        yield _mount(path, str(path), is_read_only)


def _mount(source: Path, target: str, is_read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": is_read_only}


def _is_shown(hidden: Path, readable: tuple[Path, ...]) -> bool:
    return any(hidden.is_relative_to(path) for path in readable)


def _limits(spec: WorkerSpec, engine: EngineAbilities) -> dict[str, Any]:
    """Those that the engine can keep to; a meter looks at all of them, too."""
    limits = spec.allowance.limits
    values = {
        "core": 0,
        "nofile": _at_most(limits.n_open_files, resource.RLIMIT_NOFILE),
        # By user, not by container. Where it is not said, podman asks for more than it may itself.
        "nproc": _at_most(_MAX_USER_TASKS, resource.RLIMIT_NPROC),
    }
    if limits.scratch_bytes is not None:
        values["fsize"] = limits.scratch_bytes
    ulimits = [{"Name": name, "Soft": value, "Hard": value} for name, value in values.items()]
    config: dict[str, Any] = {"Ulimits": ulimits}
    if engine.can_limit_tasks:
        config["PidsLimit"] = limits.n_tasks
    if engine.can_limit_memory and limits.memory_bytes is not None:
        config |= {"Memory": limits.memory_bytes, "MemorySwap": limits.memory_bytes}
    return config


def _at_most(value: int, kind: int) -> int:
    """The engine may be no freer than we are."""
    _, hard = resource.getrlimit(kind)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _gpus(spec: WorkerSpec, engine: EngineAbilities) -> dict[str, Any]:
    if not spec.gpus:
        return {}
    if not engine.can_grant_gpus:
        message = f"The container engine ({engine.name} {engine.version}) cannot give GPUs to containers."
        raise EnvironmentBuildError(message, "It takes podman 5.4 or later, or docker; or a budget without GPUs.")
    if engine.name == "podman":
        request: dict[str, Any] = {"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={index}" for index in spec.gpus]}
    else:
        request = {"Driver": "nvidia", "DeviceIDs": [str(index) for index in spec.gpus], "Capabilities": [["gpu"]]}
    return {"DeviceRequests": [request]}
