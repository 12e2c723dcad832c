"""Commands confined by bubblewrap: own view of the files, own processes, no network, no capabilities.

A confined process sees the machine's programs and libraries and the files that it was given, at their own paths; all
else is not there. Its `/proc` shows its own processes only. What it may write is its scratch folder, and a `/tmp` and
a `/dev/shm` in memory. When bubblewrap's first process ends, all of its processes do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rafiki.executor.abilities import bubblewrap

#: The system's programs and libraries. Links among them (`/bin` to `/usr/bin`) stay links.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
#: What libraries look up, and holds no secrets.
_LOOKED_UP = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/nsswitch.conf",
    "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/fonts", "/etc/protocols", "/etc/services",
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates", "/etc/OpenCL", "/sys/devices/system/cpu", "/sys/devices/system/node",
)  # fmt: skip
_FOR_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf")
_GPU_DEVICES = ("nvidia*", "dri", "kfd")
_FOR_GPUS = ("/sys/bus/pci", "/sys/devices", "/sys/module/nvidia", "/sys/class/drm")


@dataclass(frozen=True)
class View:
    """What a confined process has, beside the system's programs. Paths exist; where one is in another, both hold.

    What is in `hidden` is not seen through anything else (a data folder under `/usr/local`, say).
    `tmp_bytes` bounds what `/tmp` and `/dev/shm` each take, which is memory.
    """

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    has_network: bool = False
    has_gpus: bool = False
    tmp_bytes: int | None = None


def confined(command: Sequence[str], view: View, cwd: Path) -> list[str]:
    """The command that runs `command` with no more than this view. Only where `bubblewrap()` has found one."""
    sandbox = bubblewrap()
    assert sandbox.path is not None, sandbox.problem
    size = ["--size", str(view.tmp_bytes)] if view.tmp_bytes and sandbox.can_bound_tmpfs else []
    masks = [hidden for hidden in view.hidden if _is_shown(hidden, view)]
    return [
        *(sandbox.path, *sandbox.namespaces),
        *([] if view.has_network else ["--unshare-net"]),
        *_system(),
        *("--dev", "/dev", *size, "--tmpfs", "/dev/shm", *(_gpu_devices() if view.has_gpus else ())),
        *("--proc", "/proc", *size, "--tmpfs", "/tmp"),
        *_mounts(view, masks),
        # Root, where it has started the sandbox, is still the owner of the kernel's settings under /proc.
        *(part for sealed in ("/proc", "/dev", *masks, "/") for part in ("--remount-ro", str(sealed))),
        *("--chdir", str(cwd), "--", *command),
    ]


def _system() -> Iterator[str]:
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)


def _gpu_devices() -> Iterator[str]:
    for pattern in _GPU_DEVICES:
        for device in sorted(Path("/dev").glob(pattern)):
            yield from ("--dev-bind", str(device), str(device))


def _mounts(view: View, masks: Sequence[Path]) -> Iterator[str]:
    """Outer folders first: what is mounted later lies over what is there."""
    looked_up = [*_LOOKED_UP, *(_FOR_NETWORK if view.has_network else ()), *(_FOR_GPUS if view.has_gpus else ())]
    mounts = {Path(path): "--ro-bind" for path in looked_up if os.path.exists(path)}  # noqa: PTH110
    mounts |= dict.fromkeys(masks, "--tmpfs")
    mounts |= {path: "--ro-bind" for path in view.readable if not _is_system(path) or _is_in(path, masks)}
    mounts |= dict.fromkeys(view.writable, "--bind")
    for path, option in sorted(mounts.items()):
        yield from (option, str(path)) if option == "--tmpfs" else (option, str(path), str(path))


def _is_shown(hidden: Path, view: View) -> bool:
    """Whether something that is shown has it in it, so that an empty folder must lie over it."""
    return _is_system(hidden) or _is_in(hidden, view.readable)


def _is_system(path: Path) -> bool:
    return _is_in(path, map(Path, _SYSTEM))


def _is_in(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
