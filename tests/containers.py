"""A real podman and a real docker, with images made here: no registry is asked.

The base image is a small Debian, made by debootstrap and kept in podman's storage for the next time; the workers' image
is built on it from `docker/worker.Dockerfile`, its packages from wheels that are fetched beforehand. Docker gets its
images from podman.
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
_PACKAGES = "podman runc netavark aardvark-dns iptables uidmap debootstrap"
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
    """An engine that listens on a socket, and the command line that speaks to it."""

    socket_path: Path
    command: tuple[str, ...]
    variables: dict[str, str]

    @property
    def name(self) -> str:
        return self.command[0]

    @property
    def address(self) -> str:
        return f"unix://{self.socket_path}"

    def ask(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{self.name} {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def id_of(self, image: str) -> str:
        return self.ask("image", "inspect", "--format", "{{.Id}}", image).removeprefix("sha256:")

    def containers(self) -> list[str]:
        """Those of workers, whatever their state."""
        return self.ask("ps", "--all", "--quiet", "--filter", "label=rafiki.worker").split()

    def remove_containers(self) -> None:
        for container in self.containers():
            self.ask("rm", "--force", container)


@contextmanager
def running_podman(folder: Path) -> Iterator[Engine]:
    _skip_without(_PROGRAMS, _PACKAGES)
    config_path = folder / "containers.conf"
    config_path.write_text(_CONFIG)
    engine = Engine(folder / "podman.sock", ("podman",), {"CONTAINERS_CONF": str(config_path)})
    with _service(engine, folder, "podman", "system", "service", "--time=0", engine.address):
        engine.remove_containers()  # of tests that were killed
        _make_images(engine, folder)
        yield engine


@contextmanager
def running_docker(folder: Path, podman: Engine) -> Iterator[Engine]:
    """A docker of its own, with podman's images."""
    _skip_without(("docker", "dockerd"), "docker.io")
    path = folder / "docker.sock"
    engine = Engine(path, ("docker", "--host", f"unix://{path}"), {})
    places = (f"--{option}={folder / option}" for option in ("data-root", "exec-root", "pidfile"))
    with _service(engine, folder, "dockerd", "--iptables=false", "--bridge=none", *places, "--host", engine.address):
        for image in (EMPTY_IMAGE, WORKER_IMAGE):
            podman.ask("save", "--format", "docker-archive", "--output", str(folder / "image.tar"), image)
            engine.ask("load", "--input", str(folder / "image.tar"))
            (folder / "image.tar").unlink()
        yield engine


def _skip_without(programs: tuple[str, ...], packages: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt-get install --no-install-recommends {packages})")


@contextmanager
def _service(engine: Engine, folder: Path, *command: str) -> Iterator[None]:
    """What listens, in a folder of its own: podman's conmon leaves a file there when a container is out of memory."""
    with (folder / f"{engine.name}.log").open("wb") as log:
        service = subprocess.Popen(command, env={**os.environ, **engine.variables}, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_until_it_listens(engine.socket_path, service)
        yield
    finally:
        service.terminate()
        service.wait()


def _wait_until_it_listens(path: Path, service: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_LIMIT_S
    ended = os.pidfd_open(service.pid)
    try:
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    return
            # Engines have no other way to say that they are ready than to listen; whether one has ended can be awaited.
            assert not select.select([ended], [], [], 0.05)[0], f"{service.args} has ended"
    finally:
        os.close(ended)
    raise AssertionError(f"{service.args} did not start in {_START_LIMIT_S:g} s")


def _make_images(engine: Engine, folder: Path) -> None:
    if not engine.ask("images", "--quiet", BASE_IMAGE):
        root = folder / "root"
        run("debootstrap", "--variant=minbase", "--include=python3-venv", "bookworm", str(root))
        run("tar", "-C", str(root), "-cf", str(folder / "root.tar"), ".")
        engine.ask("import", str(folder / "root.tar"), BASE_IMAGE)
        shutil.rmtree(root)
        (folder / "root.tar").unlink()
    if not engine.ask("images", "--quiet", EMPTY_IMAGE):
        run("tar", "-cf", str(folder / "empty.tar"), "-T", "/dev/null")
        engine.ask("import", str(folder / "empty.tar"), EMPTY_IMAGE)
    wheels = folder / "wheels"
    version = engine.ask(
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
    engine.ask(
        "build", "--quiet", "--network", "none", "--build-arg", f"BASE={BASE_IMAGE}",
        "--volume", f"{wheels}:/wheels:ro", "--volume", f"{pip_conf}:/etc/pip.conf:ro",
        "--tag", WORKER_IMAGE, "--file", str(ROOT / "docker" / "worker.Dockerfile"), str(ROOT / "docker"),
    )  # fmt: skip


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:]}"
