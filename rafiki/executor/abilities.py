"""What this machine lets us do to confine users' code: found out once, told at start and by `rafiki doctor`."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

INSTALL_BUBBLEWRAP = "Install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap)."
_TRIAL_LIMIT_S = 10.0

#: Namespaces of its own for everything, as an unprivileged user without capabilities, and end with the parent.
NAMESPACES = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
    *("--uid", "1000", "--gid", "1000", "--hostname", "rafiki-worker", "--cap-drop", "ALL"),
    *("--new-session", "--die-with-parent"),
)


@dataclass(frozen=True)
class Bubblewrap:
    """The program that makes sandboxes. `path` is `None` where it is not there or does not work: `problem` says why."""

    path: str | None
    problem: str = ""
    remedy: str = ""
    can_bound_tmpfs: bool = False  # from version 0.7 on
    can_disable_userns: bool = False  # from version 0.8 on

    @property
    def namespaces(self) -> list[str]:
        return [*NAMESPACES, *(["--disable-userns"] if self.can_disable_userns else [])]


@dataclass(frozen=True)
class Ability:
    """Something that keeps users' code harmless. `loss` says what can happen where it does not hold."""

    name: str
    holds: bool
    loss: str = ""
    remedy: str = ""


@functools.cache
def bubblewrap() -> Bubblewrap:
    """Whether sandboxes can be made here: makes one. Blocking, some 20 ms, the first time only."""
    path = shutil.which("bwrap")
    if path is None:
        return Bubblewrap(None, "bubblewrap (bwrap) is not installed", INSTALL_BUBBLEWRAP)
    options = _output_of([path, "--help"])[1]
    found = Bubblewrap(path, "", "", "--size" in options, "--disable-userns" in options)
    root = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--remount-ro", "/proc", "--tmpfs", "/tmp"]
    true = shutil.which("true") or "/bin/true"
    exit_code, output = _output_of([path, *found.namespaces, "--unshare-net", *root, "--", true])
    if exit_code == 0:
        return found
    reason = (output.strip().splitlines() or [f"it ended with status {exit_code}"])[-1]
    return Bubblewrap(None, f"bubblewrap does not work here ({reason})", _NAMESPACES_REMEDY)


_NAMESPACES_REMEDY = (
    "It needs user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), "
    "kernel.unprivileged_userns_clone=1 (older Debian), user.max_user_namespaces > 0; in a container: "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined."
)


def _output_of(command: list[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": os.defpath},
            timeout=_TRIAL_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, done.stdout.decode(errors="replace")


def is_confining(confinement: str) -> bool:
    """Whether processes are put into sandboxes under this setting (`auto`, `required`, `off`), on this machine."""
    return confinement != "off" and bubblewrap().path is not None


def abilities(confinement: str = "auto") -> list[Ability]:
    """What holds and what does not, under this setting on this machine."""
    sandbox = bubblewrap()
    has_sandbox = is_confining(confinement)
    if confinement == "off":
        remedy = "The setting confinement is off: set it to auto or required."
    else:
        remedy = f"The reason: {sandbox.problem}. {sandbox.remedy}"
    return [
        Ability(
            "own view of the files",
            has_sandbox,
            "a template can read and change whatever the server's user can, the database and others' datasets included",
            remedy,
        ),
        Ability("no network", has_sandbox, "a template can reach what this machine can reach", remedy),
        Ability("own process tree", has_sandbox, "a template can signal the server's user's other processes", remedy),
        Ability("clean environment", True),
        Ability("limits on open files and file sizes", True),
        _process_limit(has_sandbox),
        _samples(),
    ]


def _process_limit(has_sandbox: bool) -> Ability:
    loss = "processes are counted five times a second, so that a fork bomb can go on for that long"
    if has_sandbox and os.getuid() == 0:
        remedy = "Run the server as a user other than root."
    else:
        remedy = "The kernel keeps to the limit with bubblewrap, Linux 5.14 or later, and a user other than root."
    return Ability("limit on processes", has_sandbox and has_own_process_counts(), loss, remedy)


def has_own_process_counts() -> bool:
    """The kernel counts a sandbox's processes by themselves (since 5.14), and exempts all of root's."""
    release = tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])
    return release >= (5, 14) and os.getuid() != 0


def _samples() -> Ability:
    own = f"/proc/self/task/{os.getpid()}/children"
    return Ability(
        "limits on memory, CPU time and disk space",
        os.path.exists(own),  # noqa: PTH110 (a path of the kernel's)
        "this kernel does not tell a process's children: only a worker's first process is looked at",
        "It needs a kernel with CONFIG_PROC_CHILDREN.",
    )
