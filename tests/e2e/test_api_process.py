"""`rafiki serve` as a process: how it starts, what it refuses, what it keeps to itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

MAX_IDLE_BYTES = 150 * 2**20
ENVIRONMENT = {name: value for name, value in os.environ.items() if "SUPERADMIN" not in name}


def serve(data_dir: Path, *flags: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rafiki.cli.main", "serve", "--data-dir", str(data_dir), "--port", "0", *flags]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT | environment
    )


def lines_until_ready(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if "is ready" in line:
            return lines
    raise AssertionError(process.communicate())


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path, list[str]]]:
    data_dir = tmp_path / "data"
    process = serve(data_dir)
    yield process, data_dir, lines_until_ready(process)
    process.kill()
    process.communicate()


Started = tuple[subprocess.Popen[str], Path, list[str]]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_empty_platform_is_offered_starter_models(started: Started) -> None:
    process, data_dir, _ = started
    url = json.loads((data_dir / "server.json").read_text())["url"]
    assert process.stdout is not None
    offer = process.stdout.readline()
    assert f"`rafiki login --server {url} --email superadmin@rafiki`" in offer
    assert "`rafiki model install-starters`" in offer


def test_a_first_start_and_an_orderly_stop(started: Started) -> None:
    process, data_dir, lines = started
    server = json.loads((data_dir / "server.json").read_text())
    assert server["pid"] == process.pid
    assert lines[-1] == f"Rafiki is ready at {server['url']} (data in {data_dir}, stop with Ctrl-C)"
    assert process.stdout is not None
    assert "`rafiki model install-starters`" in process.stdout.readline()
    assert httpx.get(server["url"] + "/").status_code == 200

    password_path = data_dir / "superadmin_password"
    password = password_path.read_text().strip()
    assert password in "\n".join(lines[:-1])
    assert mode(password_path) == 0o600
    assert mode(data_dir) == 0o700
    credentials = {"email": "superadmin@rafiki", "password": password}
    assert httpx.post(server["url"] + "/tokens", json=credentials).json()["user_type"] == "SUPERADMIN"

    [resident] = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmRSS" in line]
    assert int(resident.split()[1]) * 1024 < MAX_IDLE_BYTES

    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not (data_dir / "server.json").exists()

    again = serve(data_dir)
    try:
        assert len(lines_until_ready(again)) == 1
    finally:
        again.terminate()
        assert again.wait(20) == 0
        again.communicate()


def test_a_data_folder_has_one_server(started: Started) -> None:
    process, data_dir, _ = started
    second = serve(data_dir)
    output, trouble = second.communicate(timeout=30)
    assert second.returncode == 1
    assert output == ""
    assert str(process.pid) in trouble
    assert "Traceback" not in trouble
    assert process.poll() is None


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = serve(tmp_path / "data", "--port", str(other.getsockname()[1]))
        _, trouble = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Address already in use" in trouble
    assert len(trouble.splitlines()) == 1


def test_a_server_that_was_killed_leaves_its_folder_usable(started: Started) -> None:
    process, data_dir, _ = started
    process.kill()
    process.wait()
    assert (data_dir / "server.json").exists()
    again = serve(data_dir)
    lines_until_ready(again)
    again.terminate()
    assert again.wait(20) == 0
    again.communicate()


def test_a_given_password_is_kept_nowhere_readable_and_open_addresses_are_warned_of(tmp_path: Path) -> None:
    process = serve(tmp_path / "data", "--host", "0.0.0.0", RAFIKI_SUPERADMIN_PASSWORD="given")
    [ready] = lines_until_ready(process)
    url = ready.split()[4]
    answer = httpx.post(url + "/tokens", json={"email": "superadmin@rafiki", "password": "given"})
    process.terminate()
    _, trouble = process.communicate(timeout=30)
    assert answer.status_code == 200
    assert not (tmp_path / "data" / "superadmin_password").exists()
    assert "WARNING" in trouble
    assert "0.0.0.0" in trouble
