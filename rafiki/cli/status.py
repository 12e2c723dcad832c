"""`rafiki status`."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from rafiki.cli.connect import connect, sign_in_by_environment
from rafiki.cli.output import Columns, print_json, show_rows, time_of
from rafiki.cli.sign_ins import SignIns
from rafiki.client import Client, Polling, RafikiConnectionError
from rafiki.constants import TrainJobStatus, UserType

_RUNNING = {TrainJobStatus.STARTED, TrainJobStatus.RUNNING}  # inference jobs have the same names
_COLUMNS: Columns = {
    "job": "kind",
    "app": "app",
    "version": "app_version",
    "status": "status",
    "since": time_of("datetime_started"),
    "predictor": "predictor_host",
}


def status(data_dir: Path | None, server: str | None, as_json: bool, wait_s: float) -> int:
    """Prints whether a server is up, or within `wait_s` seconds is, and what runs there; 0 if one is up, else 1."""
    found = find_server(data_dir, server)
    with suppress(TimeoutError):
        pauses = Polling().pauses(wait_s, "no server is up")
        while not found["up"]:
            time.sleep(next(pauses))
            found = find_server(data_dir, server)
    if found["up"]:
        found["jobs"] = _running_jobs(found["url"])
    if as_json:
        print_json(found)
    else:
        _show(found)
    return 0 if found["up"] else 1


def find_server(data_dir: Path | None, server: str | None = None) -> dict[str, Any]:
    """`{up, url, pid}` of the server of a data folder, or else of the one that commands go to.

    `pid` is None where the server was not found through its data folder; so is `url` where the folder names none.
    """
    if data_dir is None:
        client, pid = connect(server), None
    else:
        try:
            kept = json.loads((data_dir.expanduser() / "server.json").read_text())
        except FileNotFoundError:
            return {"up": False, "url": None, "pid": None}
        client, pid = Client(kept["url"]), kept["pid"]
    with client:
        return {"up": client.is_up(), "url": client.address, "pid": pid}


def _running_jobs(url: str) -> list[dict[str, Any]] | None:
    """The jobs that run and that who asks may see; None where nobody is signed in."""
    with Client(url) as client:
        if os.environ.get("RAFIKI_TOKEN") or sign_in_by_environment(client):
            return _jobs(client)
    kept = SignIns().of(url)
    if kept is None:
        return None
    with Client(url, token=kept["token"]) as client:
        try:
            return _jobs(client)
        except RafikiConnectionError as error:
            if error.status == 401:  # the sign-in is over
                return None
            raise


def _jobs(client: Client) -> list[dict[str, Any]]:
    user = client.get_current_user() or {}
    is_admin = user["user_type"] in (UserType.SUPERADMIN, UserType.ADMIN)
    jobs = []
    for user_id in [one["id"] for one in client.get_users()] if is_admin else [user["id"]]:
        jobs += [{"kind": "train", **job} for job in client.get_train_jobs_by_user(user_id)]
        jobs += [{"kind": "inference", **job} for job in client.get_inference_jobs_by_user(user_id)]
    return [job for job in jobs if job["status"] in _RUNNING]


def _show(found: dict[str, Any]) -> None:
    where = found["url"] or "this data folder"
    if not found["up"]:
        print(f"No Rafiki server is up at {where}. Start one with: rafiki serve")
        return
    process = f" (process {found['pid']})" if found["pid"] else ""
    print(f"Rafiki is up at {where}{process}")
    if found["jobs"] is None:
        print("Sign in with rafiki login, or set RAFIKI_EMAIL and RAFIKI_PASSWORD, to see the running jobs.")
    else:
        show_rows(found["jobs"], _COLUMNS, as_json=False, nothing="No job is running.")
