"""`rafiki demo`, as a user runs it: a process of its own, a server, runners and workers below it, real data."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rafiki.cli.demo_server import processes_of
from rafiki.client import Client

LIMIT_S = 120


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the demo puts its own folder; at the end no process may work in it."""
    yield tmp_path
    left = processes_of(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == {}


def start(folder: Path, *flags: str) -> subprocess.Popen[str]:
    # The demo itself would be found by its TMPDIR: it is not looked for before it has ended.
    environment = {**os.environ, "TMPDIR": str(folder), "RAFIKI_PORT": "not a port", "RAFIKI_CORES": "none"}
    command = [sys.executable, "-m", "rafiki.cli.main", "demo", *flags]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def accuracy(output: str, who: str) -> float:
    found = re.search(rf"{who}\D+([\d.]+)%", output)
    assert found, output
    return float(found[1])


def test_the_demo_goes_all_the_way_and_leaves_nothing(folder):
    output, _ = (demo := start(folder)).communicate(timeout=LIMIT_S)
    assert demo.returncode == 0, output
    assert all(char.isprintable() or char == "\n" for char in output), "control characters where there is no terminal"
    for model in ("SkDt", "SkSvm"):
        assert f"{model}: 5 of 5 trials done, 0 running, best score" in output
        assert accuracy(output, f"{model}, best trial") > 60
    assert accuracy(output, "ensemble") > 80
    assert output.count("true class") == 4
    assert re.search("POS_TAGGING +TagHmm, TagCrf", output)
    assert "none of its processes is left" in output
    assert list(folder.iterdir()) == []


def test_an_interrupted_demo_cleans_up(folder):
    demo = start(folder, "--keep")
    for line in demo.stdout:
        if "trials done" in line:  # templates are being checked, or trials run
            break
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=LIMIT_S)
    assert demo.returncode == 130
    assert "Traceback" not in output
    assert "none of its processes is left" in output
    assert list(folder.iterdir()) == []


def test_a_demo_that_is_kept_says_where_everything_is(folder):
    output, _ = (demo := start(folder, "--keep")).communicate(timeout=LIMIT_S)
    assert demo.returncode == 0, output
    said = dict(re.findall(r"^   (server|predictor|to stop it) +(.+)$", output, re.MULTILINE))
    password_paths = [Path(path) for path in re.findall(r"password(?:s are| is) in (\S+)", output)]
    assert [stat.S_IMODE(path.stat().st_mode) for path in password_paths] == [0o600, 0o600]
    address = urlsplit(said["server"])
    with Client(address.hostname, address.port) as client:
        client.login("superadmin@rafiki", password_paths[0].read_text().strip())
        client.login("app-developer@demo", json.loads(password_paths[1].read_text())["app-developer@demo"])
        assert f"http://{client.get_running_inference_job('digits')['predictor_host']}/predict" == said["predictor"]
        assert len(client.predict("digits", query=[[[0, 0, 0]] * 8] * 8)) == 10
    pid = int(re.search(r"kill (\d+)", said["to stop it"])[1])
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)

    assert select.select([pidfd], [], [], 30)[0], "the server did not stop"
    os.close(pidfd)
    assert processes_of(folder) == {}
