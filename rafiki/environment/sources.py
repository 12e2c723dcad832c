"""Where packages come from: the variables that uv runs with.

In this order: Rafiki's own settings, uv's variables, and what pip is told (`PIP_*`, `pip.conf`), which uv itself does
not read. Nothing else of the server's environment reaches the installer: no secret but an index's password.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from pydantic import SecretStr

from rafiki.settings import Settings

#: Variables that are the installer's business.
_PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "NETRC",
    "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
#: From a setting of pip to a variable of uv, and those that say the same there.
_OF_PIP = (
    ("index-url", "UV_DEFAULT_INDEX", ("UV_INDEX_URL",)),
    ("extra-index-url", "UV_INDEX", ("UV_EXTRA_INDEX_URL",)),
    ("find-links", "UV_FIND_LINKS", ()),
    ("no-index", "UV_NO_INDEX", ()),
    ("trusted-host", "UV_INSECURE_HOST", ()),
    ("cert", "SSL_CERT_FILE", ()),
    ("proxy", "ALL_PROXY", ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "all_proxy")),
    ("default-timeout", "UV_HTTP_TIMEOUT", ()),
    ("timeout", "UV_HTTP_TIMEOUT", ()),
)
#: What tells where packages come from, and so what is to be had.
_WHENCE = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")


def installer_variables(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of an installer's process."""
    given = os.environ if environ is None else environ
    variables = {name: given[name] for name in _PASSED_ON if given.get(name)}
    variables |= {name: value for name, value in given.items() if name.startswith("UV_") and value}
    _take_settings(variables, settings)
    _take_over_pip(variables, pip_settings(given))
    if variables.keys() & {"UV_INDEX", "UV_EXTRA_INDEX_URL"}:
        # As pip does: the best version of all indexes, not of the first that has the package.
        variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    variables.setdefault("UV_SYSTEM_CERTS", "1")
    variables.setdefault("HOME", "/")
    variables["UV_CACHE_DIR"] = str(cache_dir(settings, given))
    variables["UV_PYTHON_DOWNLOADS"] = "never"
    variables["UV_NO_PROGRESS"] = "1"
    variables["NO_COLOR"] = "1"
    return variables


def whence(variables: Mapping[str, str]) -> dict[str, str]:
    """The part of the variables that tells what packages there are."""
    return {name: variables[name] for name in _WHENCE if name in variables}


def local_links(variables: Mapping[str, str]) -> list[Path]:
    """The folders of wheels on this machine."""
    links = [link.removeprefix("file://") for link in variables.get("UV_FIND_LINKS", "").replace(",", " ").split()]
    return [Path(link) for link in links if Path(link).is_dir()]


def cache_dir(settings: Settings, environ: Mapping[str, str] | None = None) -> Path:
    """Where packages are kept: on the file system of the data folder, for environments are links to it."""
    given = os.environ if environ is None else environ
    if settings.package_cache_dir is not None:
        return settings.package_cache_dir
    if given.get("UV_CACHE_DIR"):
        return Path(given["UV_CACHE_DIR"]).absolute()
    shared = Path(platformdirs.user_cache_dir("rafiki")) / "packages"
    if _device(shared) == _device(settings.data_dir) and _is_writable(shared):
        return shared
    return settings.data_dir / "packages"


def _device(path: Path) -> int:
    """The file system that a path is, or would be, on."""
    return next(folder for folder in (path, *path.parents) if folder.exists()).stat().st_dev


def _is_writable(path: Path) -> bool:
    return os.access(next(folder for folder in (path, *path.parents) if folder.exists()), os.W_OK)


def _take_settings(variables: dict[str, str], settings: Settings) -> None:
    _set(variables, "UV_DEFAULT_INDEX", settings.package_index_url, instead_of=("UV_INDEX_URL",))
    _set(variables, "UV_INDEX", settings.package_extra_index_urls, instead_of=("UV_EXTRA_INDEX_URL",))
    _set(variables, "UV_FIND_LINKS", settings.package_find_links)
    lower = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "all_proxy")
    _set(variables, "ALL_PROXY", settings.package_proxy, instead_of=lower)
    if settings.package_offline:
        variables["UV_OFFLINE"] = "1"


def _set(variables: dict[str, str], name: str, value: SecretStr | None, instead_of: tuple[str, ...] = ()) -> None:
    if value is None:
        return
    for other in instead_of:
        variables.pop(other, None)
    variables[name] = value.get_secret_value()


def _take_over_pip(variables: dict[str, str], pip: Mapping[str, str]) -> None:
    for name, variable, same in _OF_PIP:
        if name in pip and not variables.keys() & {variable, *same}:
            variables[variable] = pip[name]


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What `pip config list` shows of those settings that concern where packages come from."""
    names = [name for name, _, _ in _OF_PIP]
    found: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {name: " ".join(parser[section][name].split()) for name in names if name in parser[section]}
    for name in names:
        value = environ.get(f"PIP_{name.upper().replace('-', '_')}")
        if value:
            found[name] = " ".join(value.split())
    return {name: value for name, value in found.items() if value and value.lower() not in ("0", "false", "no")}


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks, what wins last."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path(environ.get("HOME") or "/")
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = [Path(folder) / "pip/pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    files = [*system, Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf"]
    files.append(Path(sys.prefix) / "pip.conf")
    return [*files, Path(named)] if named else files
