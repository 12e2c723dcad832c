"""The program that `rafiki serve` runs: the server in the foreground, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import anyio.to_thread
import uvicorn
import uvloop

from rafiki.constants import UserType
from rafiki.errors import InvalidSettingsError
from rafiki.server.app import create_app
from rafiki.server.auth import Passwords
from rafiki.server.confinement import report_confinement
from rafiki.server.data_folder import (
    SUPERADMIN_PASSWORD,
    locked_data_folder,
    remove_server_file,
    write_private,
    write_server_file,
)
from rafiki.server.gpus import with_gpus_here
from rafiki.server.supervisor import Supervisor
from rafiki.settings import Settings
from rafiki.store import Store
from rafiki.web import WebApp

logger = logging.getLogger("rafiki.server")

#: Threads for the store's calls: few, for SQLite writes one at a time anyway.
_N_THREADS = 16
#: What open requests get to end when the server stops.
_REQUESTS_GRACE_S = 5
_BACKLOG = 1024
_SWEEP_INTERVAL_S = 900.0


def run_server(settings: Settings, leave_running: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status.

    Must be called in the main thread. With `leave_running` the jobs' processes go on when the server stops;
    else they end, and the next start resumes them.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("uvicorn", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    os.umask(0o077)
    try:
        with locked_data_folder(settings.data_dir), _listen(settings) as listener:
            remove_server_file(settings.data_dir)  # of a server that was killed
            report_confinement(settings)
            settings = with_gpus_here(settings)
            store = Store.open(settings)
            try:
                store.blobs.sweep_partial()
                store.sweep_blobs()
                _ensure_superadmin(settings, store)
                uvloop.run(_serve(settings, store, listener, leave_running))
            finally:
                store.close()
    except InvalidSettingsError as error:
        print(f"{error.name}: {error.message}" + (f" ({error.hint})" if error.hint else ""), file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings, store: Store, listener: socket.socket, leave_running: bool) -> None:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _N_THREADS
    supervisor = Supervisor(settings, store)
    app = create_app(settings, store, supervisor)
    port = listener.getsockname()[1]
    url = _url(settings.host, port)
    web = WebApp(_reachable(settings.host), port)
    web.mount_on(app)
    server = _Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=_REQUESTS_GRACE_S),
        on_ready=lambda: _announce(settings, url, has_models=bool(store.catalog.list_models())),
    )
    loop = asyncio.get_running_loop()
    for signal_no in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_no, server.handle_exit, signal_no, None)
    sweeping = asyncio.create_task(_sweep_forever(store), name="sweep of blobs")
    try:
        await supervisor.start()
        await server.serve(sockets=[listener])
    finally:
        sweeping.cancel()
        remove_server_file(settings.data_dir)
        await web.close()
        await supervisor.close(leave_running)


async def _sweep_forever(store: Store) -> None:
    """Bytes that no row refers to any more go while the server runs, too."""
    while True:
        await asyncio.sleep(_SWEEP_INTERVAL_S)
        try:
            n_deleted = await asyncio.to_thread(store.sweep_blobs)
            if n_deleted:
                logger.info("%d unused blobs were deleted", n_deleted)
        except Exception:  # the next sweep may do better; the server must not end for it
            logger.exception("unused blobs could not be swept")


class _Server(uvicorn.Server):
    """Says when it accepts requests, and ends by a signal as by any other way."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # `_serve` has set the handlers; uvicorn would raise the signal again in the end


def _announce(settings: Settings, url: str, has_models: bool) -> None:
    write_server_file(settings.data_dir, url)
    print(f"Rafiki is ready at {url} (data in {settings.data_dir}, stop with Ctrl-C)", flush=True)
    if not has_models:
        print(
            f"No models yet: `rafiki login --server {url} --email {settings.superadmin_email}`, then `rafiki model "
            "install-starters` publishes some for images, tables and text.",
            flush=True,
        )


def _url(host: str, port: int) -> str:
    """Where the server is reached from its own machine."""
    reachable = _reachable(host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """The server's socket, bound: nothing else is started where the port is taken."""
    if not _is_loopback(settings.host):
        logger.warning(
            "listening on %s: everybody who reaches this machine reaches Rafiki, whose passwords and data travel "
            "unencrypted; put it behind a TLS proxy or use --host 127.0.0.1",
            settings.host,
        )
    try:
        listener = socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=_BACKLOG,
        )
    except OSError as error:
        message = f"cannot listen on {settings.host} port {settings.port}: {os.strerror(error.errno or 0)}"
        raise InvalidSettingsError(message, "choose another with --host and --port") from error
    with listener:
        yield listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ensure_superadmin(settings: Settings, store: Store) -> None:
    """At the first start, create the superadmin, with the given password or a generated one."""
    if any(user.user_type == UserType.SUPERADMIN for user in store.users.list()):
        return
    given = settings.superadmin_password
    password = "" if given is None else given.get_secret_value()
    if not password:
        password = secrets.token_urlsafe(12)
        password_path = settings.data_dir / SUPERADMIN_PASSWORD
        write_private(password_path, password + "\n")
        print(f"The password of {settings.superadmin_email} is {password} (kept in {password_path})", flush=True)
    store.users.create(settings.superadmin_email, Passwords().hash_now(password), UserType.SUPERADMIN)
