"""A real `rafiki serve` in a process of its own, and clients of each role."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rafiki.client import Client

TEMPLATES = Path(__file__).parent / "templates"
PASSWORD = "superadmin-password"
START_LIMIT_S = 30.0


class ServerProcess:
    """`rafiki serve` on a data folder. It can be killed and started again on the same port."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self._environment = {
            **os.environ,
            "RAFIKI_SUPERADMIN_PASSWORD": PASSWORD,
            "RAFIKI_PREDICTOR_PORTS": free_port_range(20),
            "RAFIKI_CORES": "2",
            "RAFIKI_WORKER_READABLE": str(data_dir.parent),  # where tests leave files for templates
            **environment,
        }
        self.port = int(self._environment.get("RAFIKI_PORT") or free_port())
        self.process: subprocess.Popen[str] | None = None

    def start(self, *flags: str) -> None:
        command = [sys.executable, "-m", "rafiki.cli.main", "serve", "--port", str(self.port), *flags]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(self.data_dir)], env=self._environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "is ready at" in line:
                return
        raise AssertionError(f"the server ended with status {self.process.wait()}")

    def stop(self, signal_no: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal_no)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(START_LIMIT_S)

    def processes(self) -> dict[int, str]:
        """Every live process that works for this data folder, the server itself included, with its command."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.data_dir) in command:
                found[int(entry.name)] = command
        return found

    @property
    def predictor_ports(self) -> str:
        return self._environment["RAFIKI_PREDICTOR_PORTS"]

    def client(self, email: str = "superadmin@rafiki", password: str = PASSWORD) -> Client:
        client = Client("127.0.0.1", self.port)
        client.login(email, password)
        return client

    def user(self, user_type: str, email: str | None = None) -> Client:
        email = email or f"{user_type.lower()}@example.org"
        self.client().create_user(email, "password", user_type)
        return self.client(email, "password")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def free_port_range(n: int) -> str:
    """A range below the kernel's ephemeral ports whose first port is free now."""
    for first in range(20000 + os.getpid() % 100 * 100, 32000, n):
        try:
            with socket.create_server(("127.0.0.1", first)):
                return f"{first}-{first + n - 1}"
        except OSError:
            continue
    raise AssertionError("no free port range")


class Work:
    """What most tests need of a user: a dataset, models, jobs."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self._folder = folder

    def dataset(self, task: str = "ANY", content: bytes = b"a,b\n1,2\n") -> str:
        path = self._folder / "data.csv"
        path.write_bytes(content)
        return str(self.client.create_dataset("data", task, dataset_path=str(path))["id"])

    def model(self, model_class: str = "Steps", task: str = "ANY", name: str | None = None, **options: Any) -> str:
        path = str(TEMPLATES / "Steps.py")
        return str(self.client.create_model(name or model_class, task, path, model_class, **options)["id"])

    def train_job(self, app: str, models: list[str], train_args: Any = None, **budget: Any) -> dict[str, Any]:
        dataset_id = self.dataset()
        budget = {"MODEL_TRIAL_COUNT": 1} | budget
        job: dict[str, Any] = self.client.create_train_job(
            app, "ANY", dataset_id, dataset_id, budget, models, train_args
        )
        return job

    def ended_train_job(self, app: str, models: list[str], train_args: Any = None, **budget: Any) -> dict[str, Any]:
        self.train_job(app, models, train_args, **budget)
        job: dict[str, Any] = self.client.wait_until_train_job_has_stopped(app, timeout=60)
        return job


Until = Callable[[Callable[[], Any]], Any]
