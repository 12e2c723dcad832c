"""The command line in this process, against a server that answers as the test says."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rafiki.cli.main import main
from tests.fake_admin import Admin, admin

__all__ = ["admin"]

USER = {"user_id": "u1", "user_type": "MODEL_DEVELOPER", "token": "t0k"}


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """What a table printed, below its titles."""
        return [line.split() for line in self.out.splitlines()[1:]]


Rafiki = Callable[..., Done]


@pytest.fixture(autouse=True)
def config_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's configuration folder; nothing is configured."""
    for name in os.environ:
        if name.startswith(("RAFIKI_", "ADMIN_EXT_PORT")):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


@pytest.fixture
def anybody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], admin: Admin) -> Rafiki:
    """`rafiki` at the fake server, where nobody is signed in."""
    monkeypatch.setenv("RAFIKI_ADDR", "127.0.0.1")
    monkeypatch.setenv("ADMIN_EXT_PORT", str(admin.port))

    def run(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["rafiki", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return Done(int(end.value.code or 0), out, err)

    return run


@pytest.fixture
def rafiki(monkeypatch: pytest.MonkeyPatch, anybody: Rafiki) -> Rafiki:
    """`rafiki` at the fake server, signed in by a token."""
    monkeypatch.setenv("RAFIKI_TOKEN", "long")
    return anybody


@pytest.fixture
def signed_in(admin: Admin, anybody: Rafiki) -> Rafiki:
    """`rafiki` at the fake server, after `rafiki login`."""
    admin.on("POST /tokens", USER)
    assert anybody("login", "--email", "a@b", stdin="pw\n").status == 0
    return anybody
