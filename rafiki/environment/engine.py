"""The container engine of this machine, podman or docker, through the Docker API on its Unix socket."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rafiki.errors import EnvironmentBuildError

#: Where engines listen, the user's own first.
_SOCKETS = (
    "/run/user/{uid}/podman/podman.sock",
    "/run/user/{uid}/docker.sock",
    "/run/podman/podman.sock",
    "/run/docker.sock",
    "/var/run/docker.sock",
)
_ANSWER_LIMIT_S = 60.0
_MAX_REASON_CHARS = 1000
#: From this version on podman takes requests for GPUs by this API.
_PODMAN_WITH_GPUS = (5, 4)

INSTALL_ENGINE = (
    "An admin installs podman (apt-get install podman) and starts its service (systemctl enable --now podman.socket, "
    "or podman system service --time=0 unix:///run/podman/podman.sock), or installs docker, or names the engine's "
    "socket by RAFIKI_CONTAINER_ENGINE."
)


class EngineFailed(Exception):  # noqa: N818 (what the engine answered; the callers make errors of it)
    """The engine did not do what it was asked for; the text is its reason. `status` is 0 where it was not reached."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason.strip()[:_MAX_REASON_CHARS])
        self.status = status


@dataclass(frozen=True)
class EngineAbilities:
    """What an engine is and can do. The user `root` of a rootless one's containers is the user that runs it."""

    name: str  # podman, docker
    version: str
    is_rootless: bool = False
    can_limit_memory: bool = True
    can_limit_tasks: bool = True

    @property
    def can_grant_gpus(self) -> bool:
        version = tuple(int(number) for number in re.findall(r"\d+", self.version)[:2])
        return self.name == "docker" or version >= _PODMAN_WITH_GPUS


@dataclass(frozen=True)
class ContainerState:
    """`pid` is its first process as this machine sees it; 0 where none runs."""

    pid: int
    exit_code: int
    was_out_of_memory: bool


def find_engine_socket(configured: str | None) -> Path:
    """The socket of the configured engine, or of the first that is found. Raises `EnvironmentBuildError`."""
    if configured == "off":
        raise EnvironmentBuildError("This server runs no containers.", "Its setting RAFIKI_CONTAINER_ENGINE is off.")
    if configured:
        scheme, is_url, path = configured.rpartition("://")
        if (is_url and scheme != "unix") or not path.startswith("/"):
            message = f"The container engine {configured!r} is no Unix socket of this machine."
            raise EnvironmentBuildError(message, "RAFIKI_CONTAINER_ENGINE is such as unix:///run/podman/podman.sock.")
        return Path(path)
    for place in _SOCKETS:
        path = place.format(uid=os.getuid())
        if _is_socket(path) and os.access(path, os.W_OK):
            return Path(path)
    raise EnvironmentBuildError("There is no container engine on this machine that the server can use.", INSTALL_ENGINE)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116 (a word shorter than what tells less)
    except OSError:
        return False


class ContainerEngine:
    """All raise `EngineFailed`. To be used in one event loop; `close` in the end."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        transport = httpx.AsyncHTTPTransport(uds=str(socket_path))
        self._http = httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=_ANSWER_LIMIT_S)

    async def close(self) -> None:
        await self._http.aclose()

    async def abilities(self) -> EngineAbilities:
        version = await self._json("GET", "/version")
        parts: list[dict[str, Any]] = version.get("Components") or []
        for part in parts:
            if "podman" in str(part.get("Name")).lower():
                return await self._abilities_of_podman(part)
        info = await self._json("GET", "/info")
        return EngineAbilities(
            name="docker",
            version=str(version.get("Version")),
            is_rootless=any("rootless" in str(option) for option in info.get("SecurityOptions") or []),
            can_limit_memory=bool(info.get("MemoryLimit")),
            can_limit_tasks=bool(info.get("PidsLimit")),
        )

    async def _abilities_of_podman(self, part: Mapping[str, Any]) -> EngineAbilities:
        """By its own API: in docker's form it says of itself what does not hold where it is rootless."""
        version = str(part.get("Version"))
        host = (await self._json("GET", f"/v{version}/libpod/info")).get("host") or {}
        controllers = host.get("cgroupControllers") or []
        return EngineAbilities(
            name="podman",
            version=version,
            is_rootless=bool((host.get("security") or {}).get("rootless")),
            can_limit_memory="memory" in controllers,
            can_limit_tasks="pids" in controllers,
        )

    # Images -----------------------------------------------------------------------------------------------------------

    async def image(self, reference: str) -> dict[str, Any] | None:
        """What is known of an image, by its name or the start of its id; None: it is not here."""
        try:
            return await self._json("GET", f"/images/{reference}/json")
        except EngineFailed as failed:
            if failed.status == 404:
                return None
            raise

    async def pull(self, reference: str) -> None:
        """Fetch an image from its registry."""
        name, tag = split_reference(reference)
        params = {"fromImage": name, "tag": tag}
        try:
            async with self._http.stream("POST", "/images/create", params=params, timeout=None) as response:
                if response.is_error:
                    raise _failed(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    said = json.loads(line) if line.strip() else {}
                    if said.get("error"):
                        raise EngineFailed(str(said["error"]), 500)
        except (httpx.HTTPError, ValueError) as error:
            raise self._unreached(error) from error

    # Containers -------------------------------------------------------------------------------------------------------

    async def create(self, name: str, config: Mapping[str, Any]) -> None:
        await self._json("POST", "/containers/create", params={"name": name}, json=config)

    async def start(self, name: str) -> None:
        await self._ask("POST", f"/containers/{name}/start")

    async def state(self, name: str) -> ContainerState:
        state = (await self._json("GET", f"/containers/{name}/json")).get("State") or {}
        return ContainerState(
            pid=int(state.get("Pid") or 0) if state.get("Running") else 0,
            exit_code=int(state.get("ExitCode") or 0),
            was_out_of_memory=bool(state.get("OOMKilled")),
        )

    async def wait(self, name: str) -> None:
        """Returns when the engine has seen its end."""
        await self._ask("POST", f"/containers/{name}/wait", timeout=None)

    async def kill(self, name: str) -> None:
        await self._ask("POST", f"/containers/{name}/kill")

    async def remove(self, name: str) -> None:
        """End it, if it runs, and forget it. No effect where it is not there."""
        try:
            await self._ask("DELETE", f"/containers/{name}", params={"force": "true", "v": "true"})
        except EngineFailed as failed:
            if failed.status != 404:
                raise

    async def output(self, name: str, n_lines: int) -> str:
        """The last lines that it printed."""
        params = {"stdout": "true", "stderr": "true", "tail": str(n_lines)}
        return _without_headers(await self._ask("GET", f"/containers/{name}/logs", params=params))

    # Asking -----------------------------------------------------------------------------------------------------------

    async def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        body = await self._ask(method, path, **options)
        try:
            return dict(json.loads(body))
        except (ValueError, TypeError) as error:
            raise EngineFailed(f"{self._socket_path} answers {path} by what is no JSON object") from error

    async def _ask(self, method: str, path: str, **options: Any) -> bytes:
        try:
            response = await self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._unreached(error) from error
        if response.is_error:
            raise _failed(response.status_code, response.content)
        return response.content

    def _unreached(self, error: Exception) -> EngineFailed:
        return EngineFailed(f"the container engine at {self._socket_path} cannot be reached ({error})")


def describe_engine(configured: str | None) -> str:
    """The engine that the setting means, in words. Blocking. Raises `EnvironmentBuildError` where none can be used."""

    async def ask(path: Path) -> EngineAbilities:
        engine = ContainerEngine(path)
        try:
            return await engine.abilities()
        finally:
            await engine.close()

    path = find_engine_socket(configured)
    try:
        found = asyncio.run(ask(path))
    except EngineFailed as failed:
        raise EnvironmentBuildError(f"{failed}"[:1].upper() + f"{failed}"[1:] + ".", INSTALL_ENGINE) from failed
    return f"{found.name} {found.version}{', rootless' if found.is_rootless else ''}, at {path}"


def split_reference(reference: str) -> tuple[str, str]:
    """An image's name, and its tag or digest: without one, engines would fetch all tags."""
    name, is_digest, digest = reference.partition("@")
    if is_digest:
        return name, digest
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "latest")


def _failed(status: int, body: bytes) -> EngineFailed:
    try:
        reason = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        reason = body.decode(errors="replace")
    return EngineFailed(reason, status)


def _without_headers(stream: bytes) -> str:
    """What was printed: in the engine's stream each piece has 8 bytes before it, the last 4 its length."""
    printed = bytearray()
    at = 0
    while at + 8 <= len(stream):
        size = int.from_bytes(stream[at + 4 : at + 8], "big")
        printed += stream[at + 8 : at + 8 + size]
        at += 8 + size
    return printed.decode(errors="replace")
