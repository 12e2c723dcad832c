"""The guides' code, each guide from top to bottom, in a folder that looks like a fresh clone, against a real server.

Run are blocks of ```python and ```bash; a block with a caption is a file, which is written. What only a test needs is
in blocks within HTML comments.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rafiki.constants import TrainJobLimit
from rafiki.entities import FailureCode
from rafiki.settings import Settings
from tests.server_process import ServerProcess, free_port

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(?:\{code-block\} )?(\w+)\n(?::caption: (\S+)\n\n?)?(.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDES = ["model-developers", "app-developers", "app-users", "admins", "migration"]
PASSWORD = "correct horse"


@pytest.fixture
def clone(tmp_path: Path, server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which a guide is followed. Processes whose ids are in its `*.pid` files end with it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["guide"])
    for name in [name for name in os.environ if name.startswith(("RAFIKI_", "ADMIN_EXT_PORT"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield tmp_path
    for pid_path in tmp_path.glob("*.pid"):
        subprocess.run(["kill", pid_path.read_text().strip()], stderr=subprocess.DEVNULL, check=False)


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guides_blocks_run(guide: str, clone: Path, server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    if guide != "admins":  # who signs in as the superadmin of a server of their own
        monkeypatch.setenv("RAFIKI_PASSWORD", PASSWORD)  # which `rafiki login` would ask for
    first_port = int(server.predictor_ports.partition("-")[0])
    text = (DOCS / "guides" / f"{guide}.md").read_text()
    for written, here in {
        "localhost:30001": f"127.0.0.1:{first_port + 1}",
        "localhost:30000": f"127.0.0.1:{first_port}",
        "localhost:3000": f"127.0.0.1:{server.port}",
        "3900": str(free_port()),
    }.items():
        text = text.replace(written, here)
    namespace: dict[str, Any] = {"__name__": "guide", "admin": server.client(), "PASSWORD": PASSWORD}
    ran = set()
    for language, file_name, code in BLOCK.findall(text):
        ran.add(language)
        if file_name:
            Path(file_name).write_text(code)
        elif language == "bash":
            subprocess.run(["bash", "-euc", code], check=True)
        elif language == "python":
            exec(compile(code, f"{guide}.md", "exec"), namespace)
        elif language == "json":
            json.loads(code)
    assert ran & {"bash", "python"}


def test_the_guides_name_every_failure_and_every_setting_that_they_name_is_there() -> None:
    text = (DOCS / "guides" / "model-developers.md").read_text()
    codes = [value for name, value in vars(FailureCode).items() if name.isupper()]
    assert [code for code in codes if f"`{code}`" not in text] == []
    named = {name for path in (DOCS / "guides").glob("*.md") for name in re.findall(r"`(\w+_\w+)`", path.read_text())}
    named = {name for name in named if name.startswith(("worker_", "trial_", "package_", "keep_", "max_", "server_"))}
    assert named - {"package_", "worker_", "trial_", TrainJobLimit.TRIAL_TIME_S} <= Settings.model_fields.keys()
