"""A server for the demo: a real `rafiki serve`, in a folder of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from rafiki.errors import RafikiError

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0
_N_PREDICTOR_PORTS = 10


class DemoServer:
    """`start()` returns when the server answers; `stop()` when no process of it is left."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.output_path = folder / "server.log"
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def password_path(self) -> Path:
        """Where the server keeps the superadmin's generated password."""
        return self.data_dir / "superadmin_password"

    def start(self) -> None:
        self.data_dir.mkdir()
        command = [sys.executable, "-m", "rafiki.cli.main", "serve"]
        command += ["--host", "127.0.0.1", "--port", "0", "--data-dir", str(self.data_dir)]
        with self.output_path.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.data_dir.parent,  # not where a rafiki.toml may lie
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops the server
            )
        self.url = self._wait_until_ready(self._process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + _START_LIMIT_S
        ready_path = self.data_dir / "server.json"  # written when the server answers
        while not ready_path.exists():
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
            raise RafikiError("the demo's server did not start")
        return str(json.loads(ready_path.read_text())["url"])

    def last_output(self) -> str:
        if not self.output_path.exists():
            return ""
        return "\n".join(self.output_path.read_text(errors="replace").splitlines()[-20:])

    def stop(self) -> list[str]:
        """Stops the server in an orderly way; the processes that were left nevertheless, which are then killed."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        left = processes_of(self.data_dir)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return [f"process {pid}: {command}" for pid, command in left.items()]


def processes_of(folder: Path) -> dict[int, str]:
    """Processes, with their command lines, that were started with this folder's name or work in it."""
    name = os.fsencode(folder)
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            traces = (command, (process / "environ").read_bytes(), os.fsencode((process / "cwd").readlink()))
        except OSError:  # it has just ended, or is another user's
            continue
        if any(name in trace for trace in traces):
            found[int(process.name)] = command.replace(b"\0", b" ").decode(errors="replace")[:100]
    found.pop(os.getpid(), None)
    return found


def _environment() -> dict[str, str]:
    """This process's, without settings: the demo shows what Rafiki does where nothing is configured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAFIKI_", "SUPERADMIN_"))}
    return {**kept, "RAFIKI_PREDICTOR_PORTS": _free_ports()}


def _free_ports() -> str:
    """A range of free ports for predictors, outside of the one that a user's own server takes by default."""
    while True:
        first = 20000 + secrets.randbelow(8000)
        if all(_is_free(port) for port in range(first, first + _N_PREDICTOR_PORTS)):
            return f"{first}-{first + _N_PREDICTOR_PORTS - 1}"


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
