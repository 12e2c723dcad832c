"""How long environments take: to build, against uv alone, and for the second job that needs the same.

    python bench/environments.py [--rounds 5] [--dependencies '{"scikit-learn": "1.9.1"}']

Prints medians. "cold" is with an empty cache, so that all is downloaded; "warm" with the packages in it, and their
modules compiled. uv alone is `uv venv` and `uv pip install` of the same packages with the same settings, always in the
same place, which it then knows; Rafiki also locks them with their hashes, and adds the compiled modules.
The second job is measured against a real server, from the client's call to the first line of the template's file: its
runner and its worker are up then, and the SDK is loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uv

from rafiki.client import Client
from rafiki.environment import EnvironmentBuilder
from rafiki.environment.request import make_request
from rafiki.environment.sources import installer_variables
from rafiki.settings import Settings

PASSWORD = "bench-password"
TEMPLATE = """
import time
STARTED = time.time()
from rafiki.model import BaseModel

class Clock(BaseModel):
    @staticmethod
    def get_knob_config():
        return {}

    def train(self, dataset_path, shared_params=None, **train_args):
        pass

    def evaluate(self, dataset_path):
        return STARTED

    def predict(self, queries):
        return queries

    def dump_parameters(self):
        return {}

    def load_parameters(self, params):
        pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dependencies", type=json.loads, default={"scikit-learn": "1.9.1"}, metavar="JSON")
    given = parser.parse_args()
    print(f"medians of {given.rounds} rounds, {os.cpu_count()} cores, uv {uv_version()}")
    for dependencies in ({}, given.dependencies):
        measure_builds(dependencies, given.rounds)
    measure_jobs(given.dependencies, given.rounds)


def measure_builds(dependencies: dict[str, str], rounds: int) -> None:
    name = ", ".join(f"{one} {version}" for one, version in dependencies.items()) or "no dependencies"
    with tempfile.TemporaryDirectory() as folder:
        for state in ("cold", "warm"):
            rafiki_s, uv_s = [], []
            if state == "warm":
                measure_rafiki(Path(folder), dependencies, finishes=True)
            for _ in range(rounds):  # in turn, so that what else the machine does is the same for both
                for measure, found in ((measure_uv, uv_s), (measure_rafiki, rafiki_s)):
                    if state == "cold":
                        shutil.rmtree(Path(folder) / "cache", ignore_errors=True)
                    found.append(measure(Path(folder), dependencies))
            ours, theirs = statistics.median(rafiki_s), statistics.median(uv_s)
            print(f"{name}, {state}: {ours:6.2f} s, uv alone {theirs:6.2f} s ({ours / theirs - 1:+.0%})")


def measure_rafiki(folder: Path, dependencies: dict[str, str], finishes: bool = False) -> float:
    """Seconds. With `finishes` what goes on in the background goes on to its end, which is not counted."""

    async def ignore(progress: str) -> None:
        pass

    async def build() -> float:
        builder = EnvironmentBuilder(settings(folder))
        started = time.perf_counter()
        await builder.build(dependencies, ignore)
        duration_s = time.perf_counter() - started
        if finishes:
            await builder.finished()
        await builder.close()
        return duration_s

    shutil.rmtree(folder / "data", ignore_errors=True)
    return asyncio.run(build())


def measure_uv(folder: Path, dependencies: dict[str, str]) -> float:
    variables = installer_variables(settings(folder))
    request = asyncio.run(make_request(dependencies, False, variables))
    prefix = folder / "uv"
    shutil.rmtree(prefix, ignore_errors=True)
    venv = ["venv", prefix, "--python", request.interpreter.path]
    install = ["pip", "install", "--python", prefix / "bin/python", *request.basis.flags(), *request.requirements]
    started = time.perf_counter()
    for command in (venv, install):
        subprocess.run([uv.find_uv_bin(), "--quiet", *command], env=variables, cwd="/", check=True)
    return time.perf_counter() - started


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder / "data", package_cache_dir=folder / "cache", gpus=0)


def measure_jobs(dependencies: dict[str, str], rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        command = [sys.executable, "-m", "rafiki.cli.main", "serve", "--port", "0", "--data-dir", str(data_dir)]
        environment = os.environ | {"RAFIKI_SUPERADMIN_PASSWORD": PASSWORD}
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client = connect(data_dir, server)
            run_jobs(client, Path(folder), dependencies, rounds)
        finally:
            server.terminate()
            server.wait(30)


def connect(data_dir: Path, server: subprocess.Popen[bytes]) -> Client:
    while not (data_dir / "server.json").exists():
        if server.poll() is not None:
            raise SystemExit(f"the server exited with status {server.returncode}")
        time.sleep(0.05)  # there is no event: it is another program that starts
    client = Client(json.loads((data_dir / "server.json").read_text())["url"])
    client.login("superadmin@rafiki", PASSWORD)
    return client


def run_jobs(client: Client, folder: Path, dependencies: dict[str, str], rounds: int) -> None:
    (folder / "data.csv").write_text("a,b\n1,2\n")
    (folder / "Clock.py").write_text(TEMPLATE)
    dataset_id = client.create_dataset("data", "CLOCK", folder / "data.csv")["id"]
    started = time.perf_counter()
    model_id = client.create_model("Clock", "CLOCK", folder / "Clock.py", "Clock", dependencies)["id"]
    while client.get_model(model_id)["status"] == "CHECKING":
        time.sleep(0.02)  # more often than the client asks, for it is measured
    print(f"a model with {', '.join(dependencies)} is READY after {time.perf_counter() - started:.2f} s")
    found = [run_job(client, f"app-{i}", dataset_id, model_id) for i in range(rounds + 1)][1:]
    print(f"a further job, from its start to the template's first line: {statistics.median(found):.2f} s")


def run_job(client: Client, app: str, dataset_id: str, model_id: str) -> float:
    started = time.time()
    client.create_train_job(app, "CLOCK", dataset_id, dataset_id, {"MODEL_TRIAL_COUNT": 1}, [model_id])
    client.wait_until_train_job_has_stopped(app, timeout=60)
    trials: list[dict[str, Any]] = client.get_trials_of_train_job(app)
    return float(trials[0]["score"]) - started


def uv_version() -> str:
    return subprocess.run([uv.find_uv_bin(), "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


if __name__ == "__main__":
    main()
