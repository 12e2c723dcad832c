"""Where packages come from: Rafiki's settings before uv's before pip's, and no secret beside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rafiki.environment.sources import cache_dir, installer_variables, local_links, pip_settings
from rafiki.settings import Settings

INDEXES = {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX_STRATEGY"}


def indexes(settings: Settings, **environ: str) -> dict[str, str]:
    variables = installer_variables(settings, {"PATH": "/bin", "PIP_CONFIG_FILE": os.devnull} | environ)
    return {name: value for name, value in variables.items() if name in INDEXES}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_nothing_said_leaves_it_to_uv(settings: Settings) -> None:
    assert indexes(settings) == {}


def test_pips_variables_are_taken_over(settings: Settings) -> None:
    taken = indexes(
        settings, PIP_INDEX_URL="https://i", PIP_EXTRA_INDEX_URL="https://a\nhttps://b", PIP_FIND_LINKS="/w"
    )
    assert taken == {
        "UV_DEFAULT_INDEX": "https://i",
        "UV_INDEX": "https://a https://b",
        "UV_FIND_LINKS": "/w",
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # pip takes the best of all indexes
    }


def test_uvs_own_win_over_pips(settings: Settings) -> None:
    assert indexes(settings, PIP_INDEX_URL="https://pip", UV_INDEX_URL="https://uv") == {"UV_INDEX_URL": "https://uv"}


def test_rafikis_win_over_both(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        package_index_url="https://me:secret@rafiki",
        package_extra_index_urls="https://more",
        package_find_links="/wheels",
        package_proxy="http://proxy",
        package_offline=True,
    )
    environ = {"UV_INDEX_URL": "https://uv", "UV_EXTRA_INDEX_URL": "https://uv2", "https_proxy": "http://other"}
    assert indexes(settings, **environ, PIP_FIND_LINKS="/pip") == {
        "UV_DEFAULT_INDEX": "https://me:secret@rafiki",
        "UV_INDEX": "https://more",
        "UV_FIND_LINKS": "/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    variables = installer_variables(settings, environ)
    assert (variables["ALL_PROXY"], variables["UV_OFFLINE"]) == ("http://proxy", "1")
    assert "https_proxy" not in variables
    assert "secret" not in settings.for_runner()  # which stands on a command line


def test_no_secret_of_the_server_reaches_the_installer(settings: Settings) -> None:
    environ = {"PATH": "/bin", "RAFIKI_SUPERADMIN_PASSWORD": "s", "AWS_SECRET_ACCESS_KEY": "s", "UV_X": "1"}
    variables = installer_variables(settings, environ)
    assert "s" not in variables.values()
    assert variables["UV_X"] == "1"
    assert variables["UV_PYTHON_DOWNLOADS"] == "never"


def test_pips_files_are_read_as_pip_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://user\nfind-links =\n    /one\n    /two\ncert = /ca.pem\n"
        "[install]\nextra-index-url = https://install\n[freeze]\ntimeout = 10\n"
    )
    (tmp_path / "named.conf").write_text("[global]\nindex-url = https://named\nproxy = http://p\n")
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PIP_CONFIG_FILE": str(tmp_path / "named.conf")}
    found = pip_settings(environ | {"PIP_TRUSTED_HOST": "h"})
    assert found["index-url"] == "https://named"
    assert found["find-links"] == "/one /two"
    assert found["extra-index-url"] == "https://install"
    assert found["trusted-host"] == "h"
    variables = installer_variables(Settings(data_dir=tmp_path), environ)
    assert (variables["SSL_CERT_FILE"], variables["ALL_PROXY"]) == ("/ca.pem", "http://p")
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], env=environ, capture_output=True, text=True, check=False
    )
    if shown.returncode == 0:  # a virtual environment may have no pip
        assert "global.index-url='https://named'" in shown.stdout


def test_the_cache_is_the_users_own_where_that_is_on_the_same_file_system(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    assert cache_dir(settings, {"UV_CACHE_DIR": "/c"}) == Path("/c")
    named = Settings(data_dir=tmp_path / "data", package_cache_dir=tmp_path / "mine")
    assert cache_dir(named, {"UV_CACHE_DIR": "/c"}) == tmp_path / "mine"
    elsewhere = Settings(data_dir=Path("/proc/data"))  # another file system
    assert cache_dir(elsewhere, {}) == Path("/proc/data/packages")


def test_folders_of_wheels(tmp_path: Path) -> None:
    assert local_links({"UV_FIND_LINKS": f"{tmp_path.as_uri()},https://w /nowhere"}) == [tmp_path]
