"""A real podman with images made here: no registry is asked.

The base image is a small Debian, made by debootstrap and kept in podman's storage for the next time; the workers' image
is built on it from `docker/worker.Dockerfile`, its packages from wheels that are fetched beforehand.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASE_IMAGE = "localhost/rafiki-test-base:1"
WORKER_IMAGE = "localhost/rafiki-test-worker:1"
#: Has no Python at all.
EMPTY_IMAGE = "localhost/rafiki-test-empty:1"

_PROGRAMS = ("podman", "runc", "debootstrap")
_START_LIMIT_S = 30.0
#: What it takes to run podman inside a container or a small virtual machine, and no harm elsewhere.
_CONFIG = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@dataclass(frozen=True)
class Engine:
    """Podman with its service on a socket."""

    socket_path: Path
    config_path: Path

    @property
    def address(self) -> str:
        return f"unix://{self.socket_path}"

    def podman(self, *arguments: str) -> str:
        done = subprocess.run(
            ["podman", *arguments], env={**os.environ, "CONTAINERS_CONF": str(self.config_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def id_of(self, image: str) -> str:
        return self.podman("image", "inspect", "--format", "{{.Id}}", image)

    def containers(self) -> list[str]:
        """Those of workers, whatever their state."""
        return self.podman("ps", "--all", "--quiet", "--filter", "label=rafiki.worker").split()


def skip_without_podman() -> None:
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        packages = "podman runc netavark aardvark-dns iptables uidmap debootstrap"
        pytest.skip(f"needs {', '.join(missing)} (apt-get install --no-install-recommends {packages})")


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    engine = Engine(folder / "podman.sock", folder / "containers.conf")
    engine.config_path.write_text(_CONFIG)
    service = subprocess.Popen(
        ["podman", "system", "service", "--time=0", engine.address],
        env={**os.environ, "CONTAINERS_CONF": str(engine.config_path)},
        cwd=folder,  # where podman's conmon leaves a file when a container is out of memory
    )
    try:
        _wait_until_it_answers(engine.socket_path, service)
        for container in engine.containers():  # of tests that were killed
            engine.podman("rm", "--force", "--time", "0", container)
        _make_images(engine, folder)
        yield engine
    finally:
        service.terminate()
        service.wait()


def _wait_until_it_answers(path: Path, service: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_LIMIT_S
    ended = os.pidfd_open(service.pid)
    try:
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    return
            # Whether it has ended; podman has no other way to say that it is ready than to listen.
            assert not select.select([ended], [], [], 0.05)[0], "podman's service has ended"
    finally:
        os.close(ended)
    raise AssertionError(f"podman's service did not start in {_START_LIMIT_S:g} s")


def _make_images(engine: Engine, folder: Path) -> None:
    if not engine.podman("images", "--quiet", BASE_IMAGE):
        root = folder / "root"
        run("debootstrap", "--variant=minbase", "--include=python3-venv", "bookworm", str(root))
        run("tar", "-C", str(root), "-cf", str(folder / "root.tar"), ".")
        engine.podman("import", str(folder / "root.tar"), BASE_IMAGE)
        shutil.rmtree(root)
        (folder / "root.tar").unlink()
    if not engine.podman("images", "--quiet", EMPTY_IMAGE):
        run("tar", "-cf", str(folder / "empty.tar"), "-T", "/dev/null")
        engine.podman("import", str(folder / "empty.tar"), EMPTY_IMAGE)
    wheels = folder / "wheels"
    version = engine.podman(
        "run", "--rm", BASE_IMAGE, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"
    )
    download = (
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--only-binary",
        ":all:",
        "--python-version",
        version,
    )
    run(*download, "-d", str(wheels), "numpy", "Pillow", "requests")
    pip_conf = folder / "pip.conf"
    pip_conf.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    engine.podman(
        "build", "--quiet", "--network", "none", "--build-arg", f"BASE={BASE_IMAGE}",
        "--volume", f"{wheels}:/wheels:ro", "--volume", f"{pip_conf}:/etc/pip.conf:ro",
        "--tag", WORKER_IMAGE, "--file", str(ROOT / "docker" / "worker.Dockerfile"), str(ROOT / "docker"),
    )  # fmt: skip


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:]}"
