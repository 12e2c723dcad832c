"""The README's code, from top to bottom, in a folder that looks like a fresh clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server_process import free_port

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_readmes_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["readme"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [name for name in os.environ if name.startswith("RAFIKI_")]:
        monkeypatch.delenv(name)
    text = (ROOT / "README.md").read_text().replace("3900", str(free_port()))
    namespace: dict[str, Any] = {"__name__": "readme"}
    ran = []
    try:
        for language, code in BLOCK.findall(text):
            ran.append(language)
            if language == "bash":
                subprocess.run(["bash", "-euc", code], check=True)
            elif language == "python":
                exec(compile(code, "README.md", "exec"), namespace)
    finally:
        for pid_path in Path(".demo").glob("*.pid"):
            subprocess.run(["kill", pid_path.read_text().strip()], stderr=subprocess.DEVNULL, check=False)
    assert {"bash", "python"} <= set(ran)


def test_what_the_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make (\w[\w-]*)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile, target
