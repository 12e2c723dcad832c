"""Rafiki's predictor and its peers side by side: the same models, the same queries, one machine, interleaved rounds.

`python bench/serving/run.py [--install] [--works tree,ens,big] [--servers Rafiki,FastAPI] [--rounds 3] [--secs 3]`

Prints requests per second, latencies, and how many times as many requests Rafiki answers. Ratios hold where the
absolute figures depend on what else the machine does. `wrk` (a Debian package) makes the load.

Peers are those whose environments are there: `--install` makes the missing ones (see `peers.py`). `BENCH_DIR`
(default `.bench`) holds environments, models and logs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from peers import BENCH_DIR, HERE, SERVERS, Server, install

START_LIMIT_S = 90
WARM_UP_S = 1
TITLES = {"tree": "one member, 8x8 images", "ens": "ensemble of two, 8x8 images", "big": "one member, 28x28x3 images"}


@dataclass(frozen=True)
class Round:
    rps: float
    p50_ms: float
    p99_ms: float
    bad: int  # answers that were errors
    memory_mb: float  # resident, of all its processes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="make the peers' environments that are missing")
    parser.add_argument("--works", default="tree,ens,big")
    parser.add_argument("--servers", default=",".join(server.name for server in SERVERS if "," not in server.name))
    parser.add_argument("--connections", default="1,32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=int, default=3)
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install wrk", file=sys.stderr)
        return 1
    chosen = [server for server in SERVERS if server.name.partition(",")[0] in given.servers.split(",")]
    for server in chosen if given.install else ():
        install(server)
    chosen = [server for server in chosen if server.is_installed]
    for python in {server.python for server in chosen}:
        subprocess.run([python, HERE / "models.py"], env=_environ(), check=True, stderr=subprocess.DEVNULL)
    for work in given.works.split(","):
        rounds: dict[tuple[str, int], list[Round]] = defaultdict(list)
        for _ in range(given.rounds):
            for server in chosen:
                if work in server.works:
                    _measure(server, work, [int(n) for n in given.connections.split(",")], given.secs, rounds)
        _print_table(work, rounds)
    return 0


def _measure(
    server: Server, work: str, connections: list[int], secs: int, rounds: dict[tuple[str, int], list[Round]]
) -> None:
    bodies = BENCH_DIR / "cache" / f"{'big' if work == 'big' else 'digits'}-{server.form_of(work)}.jsonl"
    try:
        with _running(server, work, bodies.read_text().partition("\n")[0].encode()) as (url, process):
            _load(url, max(connections), WARM_UP_S, bodies)
            for n in connections:
                figures = _load(url, n, secs, bodies)
                rps = figures["n"] / figures["us"] * 1e6
                memory_mb = sum(_resident_mb(each) for each in _family(process))
                result = Round(rps, figures["p50"] / 1e3, figures["p99"] / 1e3, figures["bad"], memory_mb)
                rounds[server.name, n].append(result)
    except TimeoutError:
        print(f"{server.name} did not start for {work}: see its log under {BENCH_DIR / 'cache'}", file=sys.stderr)


@contextlib.contextmanager
def _running(server: Server, work: str, body: bytes) -> Iterator[tuple[str, psutil.Process]]:
    """The server, started and answering; ended with all its processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}{server.path}"
    environ = _environ() | server.environ | {"WORK": work, "PORT": str(port)}
    with (BENCH_DIR / "cache" / f"{server.name}-{work}.log").open("wb") as log:
        process = psutil.Popen(
            server.command(port), env=environ, cwd=HERE / "servers", stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_it_answers(url, body, process)
        yield url, process
    finally:
        _end(process)


def _environ() -> dict[str, str]:
    return os.environ | {
        "BENCH_DIR": str(BENCH_DIR),
        "PYTHONPATH": str(HERE),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "BENTOML_DO_NOT_TRACK": "True",
    }


def _wait_until_it_answers(url: str, body: bytes, process: psutil.Popen) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            time.sleep(0.1)  # there is no event: it is another program that starts
    raise TimeoutError


def _load(url: str, connections: int, secs: int, bodies: os.PathLike[str]) -> dict[str, float]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{secs}s", "--timeout", "10s", "-s", str(HERE / "wrk.lua"), url]
    done = subprocess.run(command, env=os.environ | {"BODIES": str(bodies)}, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RES "))
    figures: dict[str, float] = json.loads(line[4:])
    return figures


def _family(process: psutil.Process) -> list[psutil.Process]:
    """The process and what it started. Some start processes in sessions of their own, but none lets go of them."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def _resident_mb(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_info().rss) / 2**20
    return 0.0


def _end(process: psutil.Popen) -> None:
    family = _family(process)
    for each in family:
        with contextlib.suppress(psutil.Error):
            each.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=5)
    for each in alive:
        with contextlib.suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(alive, timeout=5)


def _print_table(work: str, rounds: dict[tuple[str, int], list[Round]]) -> None:
    """Medians over the rounds."""
    print(f"\n{TITLES[work]} ({work})")
    print(f"{'server':18} {'conn.':>5} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'errors':>7} {'MB':>6}   Rafiki is")
    for n in sorted({n for _, n in rounds}):
        ours = rounds.get(("Rafiki", n))
        for (name, connections), results in rounds.items():
            if connections != n:
                continue
            rps, p50, p99, memory = (
                statistics.median(getattr(result, column) for result in results)
                for column in ("rps", "p50_ms", "p99_ms", "memory_mb")
            )
            bad = sum(result.bad for result in results)
            ratio = ""
            if ours and name != "Rafiki" and rps:
                ratio = f"{statistics.median(result.rps for result in ours) / rps:6.1f} x"
            print(f"{name:18} {n:5} {rps:8.0f} {p50:8.1f} {p99:8.1f} {bad:7} {memory:6.0f}   {ratio}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
