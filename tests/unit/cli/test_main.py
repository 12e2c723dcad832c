"""The command line as its users meet it: real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from rafiki import __version__


def rafiki(*arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAFIKI_")}
    return subprocess.run(
        [sys.executable, "-m", "rafiki.cli.main", *arguments],
        capture_output=True,
        text=True,
        env={**kept, **environment},
        timeout=30,
    )


def test_help_is_quick_and_names_the_commands():
    started = time.monotonic()
    done = rafiki("--help")
    assert time.monotonic() - started < 2  # a loose bound: it takes 0.3 s on an idle machine
    assert done.returncode == 0
    nouns = ["user", "dataset", "model", "train", "trial", "deploy", "predict", "logs", "token"]
    assert all(command in done.stdout for command in ("serve", "status", "demo", "login", "doctor", *nouns))


def test_the_version_is_told():
    done = rafiki("--version")
    assert (done.returncode, done.stdout) == (0, f"rafiki {__version__}\n")


def test_help_loads_neither_the_http_library_nor_numpy():
    loaded = "import rafiki.cli.main, sys; print({'httpx', 'numpy', 'fastapi', 'pydantic', 'ssl'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True) == "set()\n"


def test_an_unknown_command_is_a_failure_without_a_traceback():
    done = rafiki("fly")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_shell_completes_commands_and_tasks():
    ask = {"_RAFIKI_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    assert rafiki(COMP_WORDS="rafiki dataset pre", **ask).stdout.split() == ["preview"]
    ask["COMP_CWORD"] = "4"
    assert rafiki(COMP_WORDS="rafiki dataset list --task POS", **ask).stdout.split() == ["POS_TAGGING"]


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        (["--port", "70000"], {}, ["port", "70000"]),
        ([], {"RAFIKI_CORES": "many", "RAFIKI_PREDICTOR_PORTS": "x"}, ["cores", "many", "predictor_ports", "-30999"]),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(flags, environment, said):
    done = rafiki("serve", *flags, **environment)
    assert done.returncode == 1
    first, *hints = done.stderr.splitlines()
    assert first.startswith("InvalidSettingsError: ")
    assert all(word in first for word in said), first
    assert len(hints) == 1


def test_an_unreadable_settings_file_is_said_so(tmp_path, monkeypatch):
    (tmp_path / "rafiki.toml").write_text("port = [")
    monkeypatch.chdir(tmp_path)
    done = rafiki("serve")
    assert done.returncode == 1
    assert "InvalidSettingsError: rafiki.toml cannot be read" in done.stderr


def test_whoever_stops_reading_is_no_failure_to_speak_of(admin):
    admin.on("GET /datasets", [{"id": str(no)} for no in range(20_000)])
    there = {"RAFIKI_ADDR": "127.0.0.1", "ADMIN_EXT_PORT": str(admin.port), "RAFIKI_TOKEN": "long"}
    command = [sys.executable, "-m", "rafiki.cli.main", "dataset", "list", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env={**os.environ, **there}, **pipes) as listing:
        assert listing.stdout.readline() == b"[\n"
        listing.stdout.close()
        assert listing.wait(30) == 1
        assert listing.stderr.read() == b""
