"""How quickly Rafiki starts, how little it needs when idle, and what `import rafiki.model` costs.

    python bench/start.py [--rounds 5]

Prints the median of each figure: seconds from the launch of `rafiki serve` to its first answer (on a new data folder,
and on the same one again), its memory (RSS and PSS) two seconds later and after the web page was opened, its share of
a core while idle, and the time that `import rafiki.model` takes on top of `import numpy`.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    new, again = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            new.append(measure_server(Path(folder)))
            again.append(measure_server(Path(folder), opens_web=True))
    print(f"medians of {rounds} rounds")
    print(f"ready, new data folder:      {median(new, 'ready_s'):6.2f} s")
    print(f"ready, existing data folder: {median(again, 'ready_s'):6.2f} s")
    print(f"idle RSS:                    {median(new, 'rss_mb'):6.0f} MB")
    print(f"idle PSS:                    {median(new, 'pss_mb'):6.0f} MB")
    print(f"idle RSS, page opened:       {median(again, 'rss_web_mb'):6.0f} MB")
    print(f"idle CPU:                    {median(new, 'cpu_percent'):6.1f} % of a core")
    numpy_s = statistics.median(import_s("numpy") for _ in range(rounds))
    model_s = statistics.median(import_s("numpy, rafiki.model") for _ in range(rounds))
    print(f"import rafiki.model:         {model_s - numpy_s:6.3f} s beyond import numpy ({numpy_s:.3f} s)")


def median(rows: list[dict[str, float]], key: str) -> float:
    return statistics.median(row[key] for row in rows)


def measure_server(data_dir: Path, opens_web: bool = False) -> dict[str, float]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "rafiki.cli.main", "serve", "--port", str(port), "--data-dir", str(data_dir)]
    started = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_answer(url, server)
        row = {"ready_s": time.perf_counter() - started}
        cpu_before = cpu_s(server.pid)
        time.sleep(2)  # the time over which its idling is measured
        row["cpu_percent"] = (cpu_s(server.pid) - cpu_before) / 2 * 100
        row["rss_mb"] = memory_mb(server.pid, "Rss")
        row["pss_mb"] = memory_mb(server.pid, "Pss")
        if opens_web:
            urllib.request.urlopen(f"{url}/web", timeout=30).read()
            time.sleep(1)  # a page's work ends some time after its answer
            row["rss_web_mb"] = memory_mb(server.pid, "Rss")
        return row
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for_answer(url: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return
        except OSError:
            time.sleep(0.005)  # there is no event that does not come from what is measured
    raise SystemExit(f"the server exited with status {server.returncode}")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, kind: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(kind)


def import_s(modules: str) -> float:
    code = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
