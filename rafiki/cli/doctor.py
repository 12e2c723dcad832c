"""`rafiki doctor`: what this machine can and cannot do, and what to install for more.

Each check is a function that looks at one thing and says what it found. To add one, write it and add it to `CHECKS`.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import typer

from rafiki.cli.options import Json
from rafiki.cli.output import bytes_text, print_json, print_table
from rafiki.errors import EnvironmentBuildError, InvalidSettingsError
from rafiki.gpus import look

FINE = "fine"
LIMITED = "limited"  # serving works, and something else does not
IMPOSSIBLE = "impossible"  # no server can run here

_PROBE_LIMIT_S = 10.0
_LITTLE_MEMORY = 2 * 2**30
_LITTLE_DISK = 5 * 2**30
_FEW_FILES = 1024
_ADMIN_PORT = 3000
_COLOURS = {FINE: "green", LIMITED: "yellow", IMPOSSIBLE: "red"}


@dataclass(frozen=True)
class Finding:
    """What a check found; where that is not fine, what it means for the user and what helps."""

    name: str
    state: str
    found: str
    meaning: str = ""
    install: str = ""


def check_system() -> Finding:
    found = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if not hasattr(os, "pidfd_open"):
        return Finding("system", IMPOSSIBLE, found, "a server needs Linux 5.3 or later")
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return Finding("system", IMPOSSIBLE, found, f"a server needs pidfd_open: {error.strerror}")
    return Finding("system", FINE, found)


def check_server_part() -> Finding:
    """The packages of `rafiki[server]`, as this installation of Rafiki declares them."""
    found = f"Python {platform.python_version()}, {sys.executable}"
    missing = [name for name in _server_packages() if not _is_installed(name)]
    if missing:
        meaning = f"a server needs {', '.join(missing)}"
        return Finding("server part", IMPOSSIBLE, found, meaning, "pip install 'rafiki[server]'")
    return Finding("server part", FINE, found)


def check_interpreters() -> Finding:
    """The versions that a model may ask for by a dependency named `python`."""
    try:
        from rafiki.environment.interpreters import sorted_minors
    except ModuleNotFoundError as error:
        return Finding("Pythons for models", LIMITED, "not looked for", f"that needs {error.name}")
    return Finding("Pythons for models", FINE, ", ".join(sorted_minors()))


def check_cores() -> Finding:
    n_cores = len(os.sched_getaffinity(0))
    return Finding("cores", FINE, f"{n_cores} usable: as many trials at the same time")


def check_memory() -> Finding:
    n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit_path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = _read(limit_path)
        if limit.isdigit():
            n_bytes = min(n_bytes, int(limit))
    if n_bytes < _LITTLE_MEMORY:
        return Finding("memory", LIMITED, bytes_text(n_bytes), "larger models will not fit")
    return Finding("memory", FINE, bytes_text(n_bytes))


def check_disk() -> Finding:
    """The data folder of a server that is started without settings, or with those of this environment."""
    folder = _data_dir()
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(existing).free
    found = f"{bytes_text(free)} free in {folder}"
    if not os.access(existing, os.W_OK):
        return Finding("data folder", IMPOSSIBLE, found, f"{existing} cannot be written", "name one by --data-dir")
    if free < _LITTLE_DISK:
        return Finding("data folder", LIMITED, found, "datasets and environments of models need room")
    return Finding("data folder", FINE, found)


def check_port() -> Finding:
    port = int(os.environ.get("RAFIKI_PORT") or _ADMIN_PORT)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            meaning = "a server is up there (rafiki status), or another program; rafiki serve --port takes another"
            return Finding("port", LIMITED, f"{port} is taken", meaning)
    return Finding("port", FINE, f"{port} is free")


def check_open_files() -> Finding:
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = "no limit" if limit == resource.RLIM_INFINITY else f"up to {limit}"
    if limit != resource.RLIM_INFINITY and limit < _FEW_FILES:
        return Finding("open files", LIMITED, found, "many connections need more (ulimit -n)")
    return Finding("open files", FINE, found)


def check_uv() -> Finding:
    """The installer of models' dependencies."""
    beside = Path(sys.executable).with_name("uv")
    path = str(beside) if beside.exists() else shutil.which("uv")
    if path is None:
        return Finding("uv", LIMITED, "none", "no environments for models can be built", "pip install uv")
    works, said = _probe(path, "--version")
    if not works:
        return Finding("uv", LIMITED, said, "no environments for models can be built", "pip install uv")
    return Finding("uv", FINE, said)


def check_bubblewrap() -> Finding:
    """What keeps models' code away from everything else."""
    meaning = "models' code runs with fewer barriers around it"
    path = shutil.which("bwrap")
    if path is None:
        return Finding("bubblewrap", LIMITED, "none", meaning, "apt-get install bubblewrap")
    works, said = _probe(path, "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "/bin/true")
    if not works:
        return Finding("bubblewrap", LIMITED, f"it does not work here: {said}", meaning)
    return Finding("bubblewrap", FINE, _probe(path, "--version")[1])


def check_confinement() -> Finding:
    """What a server on this machine does about models' code, as it says itself when it starts."""
    try:
        from rafiki.cli.serve import read_settings
        from rafiki.server.confinement import abilities_here
    except ModuleNotFoundError as error:
        return Finding("confinement", LIMITED, "not looked for", f"that needs {error.name}")
    try:
        abilities = abilities_here(read_settings({}))
    except InvalidSettingsError as error:
        return Finding("confinement", LIMITED, "not looked for", error.message)
    found = ", ".join(ability.name for ability in abilities if ability.holds)
    lost = [ability for ability in abilities if not ability.holds]
    if lost:
        remedies = dict.fromkeys(ability.remedy for ability in lost)
        return Finding("confinement", LIMITED, found, "; ".join(one.loss for one in lost), " ".join(remedies))
    return Finding("confinement", FINE, found)


def check_containers() -> Finding:
    """What runs models that name a `docker_image`."""
    try:
        from rafiki.cli.serve import read_settings
        from rafiki.environment.engine import describe_engine

        return Finding("containers", FINE, describe_engine(read_settings({}).container_engine))
    except ModuleNotFoundError as error:
        return Finding("containers", LIMITED, "not looked for", f"that needs {error.name}")
    except InvalidSettingsError as error:
        return Finding("containers", LIMITED, "not looked for", error.message)
    except EnvironmentBuildError as error:
        return Finding("containers", LIMITED, error.message, "models that name a docker_image cannot run", error.hint)


def check_gpus() -> Finding:
    """What the driver tells of, and which of them a server would give to models."""
    inventory = look()
    found = ", ".join(map(str, inventory.gpus)) or "none: models run on the cores"
    if inventory.is_known:
        found += f"; driver {inventory.driver_version}"
    meanings = [inventory.problem] if inventory.problem else []
    try:
        from rafiki.cli.serve import read_settings

        used = read_settings({}).gpus_of(inventory)
        if len(used) != len(inventory.gpus):
            found += f"; a server uses {', '.join(map(str, used)) or 'none'}"
    except ModuleNotFoundError:  # no server part here
        pass
    except InvalidSettingsError as error:
        meanings.append(error.message)
    return Finding("GPUs", LIMITED if meanings else FINE, found, "; ".join(meanings))


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_system,
    check_server_part,
    check_cores,
    check_memory,
    check_disk,
    check_port,
    check_open_files,
    check_interpreters,
    check_uv,
    check_bubblewrap,
    check_confinement,
    check_containers,
    check_gpus,
)


def doctor(as_json: Json = False) -> None:
    """Say what this machine can and cannot do for a server, and what to install for more.

    Ends with 1 where no server can run here.
    """
    findings = [check() for check in CHECKS]
    can_serve = all(finding.state != IMPOSSIBLE for finding in findings)
    if as_json:
        print_json({"can_serve": can_serve, "findings": [asdict(finding) for finding in findings]})
    else:
        _show(findings)
    raise typer.Exit(0 if can_serve else 1)


def _show(findings: Iterable[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        said = [finding.found, finding.meaning, finding.install and f"-> {finding.install}"]
        state = Text(finding.state, _COLOURS[finding.state])
        table.add_row(state, finding.name, Text("\n".join(filter(None, said))))
    print_table(table)


def _server_packages() -> list[str]:
    try:
        declared = metadata.requires("rafiki") or []
    except metadata.PackageNotFoundError:  # run from a folder that is not installed
        return []
    ours = [one for one in declared if re.search(r"extra\s*==\s*['\"]server['\"]", one)]
    return [re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in ours]


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _data_dir() -> Path:
    try:
        from rafiki.cli.serve import read_settings

        return read_settings({}).data_dir
    except (
        ModuleNotFoundError,
        InvalidSettingsError,
    ):  # no server part here, or settings that `rafiki serve` will name
        return Path.home()


def _probe(*command: str) -> tuple[bool, str]:
    """Whether a program does that, and the first line of what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_LIMIT_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    lines = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip().splitlines()
    return done.returncode == 0, lines[0] if lines else f"exit status {done.returncode}"


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
