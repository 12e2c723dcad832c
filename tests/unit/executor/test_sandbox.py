"""What a sandbox shows, by the command that makes it; `tests/system/test_hostile.py` tries it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rafiki.errors import InvalidSettingsError
from rafiki.executor import abilities as machine
from rafiki.executor import sandbox
from rafiki.executor.abilities import Bubblewrap, abilities, bubblewrap, is_confining
from rafiki.executor.sandbox import View, confined
from rafiki.executor.view import python_paths
from rafiki.server.confinement import report_confinement
from rafiki.settings import Settings


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: Bubblewrap("/bwrap", can_bound_tmpfs=True))


@pytest.fixture
def own_abilities() -> Iterator[None]:
    """The machine is looked at anew, and once more after the test."""
    bubblewrap.cache_clear()
    yield
    bubblewrap.cache_clear()


def mounts(command: list[str]) -> dict[str, str]:
    """Destinations and how they are mounted, in order."""
    kinds = {"--ro-bind": 2, "--bind": 2, "--tmpfs": 1, "--symlink": 2, "--dev": 1, "--proc": 1, "--remount-ro": 1}
    found = {}
    for place, word in enumerate(command[: command.index("--")]):
        if word in kinds:
            found[command[place + kinds[word]]] = word.lstrip("-")
    return found


@pytest.mark.usefixtures("fake")
def test_only_what_was_given_is_shown(tmp_path: Path) -> None:
    data = tmp_path / "data"
    view = View(readable=(data / "blob",), writable=(data / "scratch",), hidden=(data,), tmp_bytes=2**20)
    command = confined(["python", "--", "x"], view, tmp_path)
    assert command[-6:] == ["--chdir", str(tmp_path), "--", "python", "--", "x"]
    shown = mounts(command)
    assert shown[str(data / "blob")] == "ro-bind"
    assert shown[str(data / "scratch")] == "bind"
    assert str(data) not in shown  # nothing shows it, so that nothing must lie over it
    assert [path for path, kind in shown.items() if kind == "bind"] == [str(data / "scratch")]
    assert {path for path, kind in shown.items() if kind == "remount-ro"} == {"/proc", "/dev", "/"}
    assert not {"/etc", "/etc/passwd", "/home", "/root", "/run", "/var", "/etc/resolv.conf"} & shown.keys()
    assert "--unshare-net" in command
    assert command.count("--size") == 2
    assert "--unshare-net" not in confined(["x"], View(has_network=True), tmp_path)


@pytest.mark.usefixtures("fake")
def test_what_is_hidden_is_so_inside_of_what_is_shown(tmp_path: Path) -> None:
    for outer in (tmp_path, Path("/usr/local")):
        data = outer / "lib" / "data"
        view = View(readable=(outer, data / "blob"), writable=(data / "scratch",), hidden=(data,))
        command = confined(["x"], view, Path("/"))
        options = [pair for pair in itertools.pairwise(command) if pair[1].startswith(str(outer))]
        kinds = {path: kind for kind, path in options if kind.startswith("--")}
        assert kinds[str(data)] == "--remount-ro"  # at the end, when all lies in it
        places = [command.index(str(path)) for path in (data, data / "blob", data / "scratch")]
        assert places == sorted(places)
        assert command[places[0] - 1] == "--tmpfs"
        if outer == tmp_path:
            assert command.index(str(outer)) < places[0]


def test_an_interpreter_is_shown_with_all_that_it_leads_through(tmp_path: Path) -> None:
    real, alias, venv, home = (tmp_path / name for name in ("real", "alias", "venv", "home"))
    (real / "lib" / "python3.11").mkdir(parents=True)
    (real / "lib" / "python3.11" / "os.py").touch()
    (real / "bin").mkdir()
    (real / "bin" / "python3.11").touch()
    alias.symlink_to(real)
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = {alias}/bin\nversion = 3.11.7\n")
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(alias / "bin" / "python3.11")
    (venv / "bin" / "python").symlink_to(home / "bin" / "python")
    assert python_paths(venv / "bin" / "python") == [venv, home / "bin" / "python", alias, real]
    assert Path("/") not in python_paths(Path("/bin/python3"))
    assert Path(sys.base_prefix) in python_paths(Path(sys.executable))


@pytest.mark.usefixtures("own_abilities")
def test_where_bubblewrap_is_missing_it_is_said_and_can_be_a_reason_not_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not is_confining("auto")
    report_confinement(Settings(data_dir=tmp_path))
    assert "apt-get install bubblewrap" in caplog.text
    assert "can read and change whatever the server's user can" in caplog.text
    with pytest.raises(InvalidSettingsError, match="bubblewrap"):
        report_confinement(Settings(data_dir=tmp_path, confinement="required"))


@pytest.mark.usefixtures("own_abilities")
def test_a_bubblewrap_that_does_not_work_is_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert bubblewrap().path is None
    (first, *_) = abilities()
    assert not first.holds
    assert "setting up uid map: Permission denied" in first.remedy
    assert "apparmor_restrict_unprivileged_userns" in first.remedy


def test_what_is_off_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "bubblewrap", lambda: Bubblewrap("/bwrap"))
    assert is_confining("auto")
    assert is_confining("required")
    assert not is_confining("off")
    assert [one.holds for one in abilities("off")][:3] == [False] * 3


def test_network_is_allowed_by_id_or_for_all(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, worker_allow_network="one, two", worker_readable="/a:/b c:")
    assert [settings.allows_network(model_id) for model_id in ("one", "two", "three", "")] == [True, True, False, False]
    assert Settings(data_dir=tmp_path, worker_allow_network="*").allows_network("three")
    assert not Settings(data_dir=tmp_path).allows_network("")
    assert settings.worker_readable_paths == (Path("/a"), Path("/b c"))


KEPT = """\
import os, signal, sys, time
from rafiki.worker.keeper import fork_under_keeper
fork_under_keeper(os.getppid())
reads, writes = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writes, b"%d" % os.getpid())
        time.sleep(600)
    os._exit(0)
print(int(os.read(reads, 100)), flush=True)
{end}
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("os._exit(7)", 7), ("os.kill(os.getpid(), signal.SIGSEGV)", 128 + 11), ("time.sleep(600)", 128 + 9)],
)
def test_a_keeper_ends_after_all_of_its_workers_processes(end: str, status: int) -> None:
    command = [sys.executable, "-c", KEPT.format(end=end)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        daemon = int(keeper.stdout.readline())
        if status == 128 + 9:
            keeper.terminate()
        assert keeper.wait(20) == status
        assert not Path(f"/proc/{daemon}").exists()
