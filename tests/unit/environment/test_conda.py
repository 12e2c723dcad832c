"""Packages that come with conda, by a program that looks like it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rafiki.environment import EnvironmentBuilder
from rafiki.errors import EnvironmentBuildError
from tests.unit.environment.conftest import Build


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    for name in ("MAMBA_EXE", "CONDA_EXE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(tools: Path, program: str, script: str) -> None:
    (tools / program).write_text(f"#!/bin/sh\n{script}\n")
    (tools / program).chmod(0o755)


async def test_where_there_is_no_conda_the_command_is_named(tools: Path, build: Build) -> None:
    with pytest.raises(EnvironmentBuildError, match=r"singa-cpu 1\.2\.0 comes with conda") as caught:
        await build({"singa": "1.2.0", "python": "3.6"})
    assert "conda create --yes --prefix PREFIX -c nusdbsystem singa-cpu=1.2.0 python=3.6" in caught.value.hint


async def test_it_makes_the_interpreter_and_the_rest_is_installed_into_it(
    tools: Path, build: Build, builder: EnvironmentBuilder, tmp_path: Path
) -> None:
    script = f'echo "$@" > {tmp_path}/said; exec {sys.executable} -m venv --without-pip --symlinks "$4"'
    install(tools, "micromamba", script)
    built = await build({"singa": "1.2.0"})
    assert (tmp_path / "said").read_text().split()[4:] == ["-c", "nusdbsystem", "singa-cpu=1.2.0", "python"]
    assert builder.folder.lock(built.address).packages == {"numpy": "1.0", "pillow": "1.0", "requests": "1.0"}
    builder.folder.remove(built.address)
    await builder.restore(built.address, built.lock)
    assert builder.folder.is_built(built.address)


async def test_what_it_says_is_the_reason(tools: Path, build: Build) -> None:
    install(tools, "conda", "echo 'PackagesNotFoundError: singa-cpu=1.2.0 is not available' >&2; exit 1")
    with pytest.raises(
        EnvironmentBuildError, match=r"singa-cpu 1\.2\.0 cannot be installed.*PackagesNotFound"
    ) as caught:
        await build({"singa": "1.2.0"})
    assert caught.value.hint.startswith("The command was: conda create")
