"""`rafiki status`."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rafiki.client import Client, Polling
from rafiki.constants import TrainJobStatus, UserType

_RUNNING = {TrainJobStatus.STARTED, TrainJobStatus.RUNNING}  # inference jobs have the same names


def status(data_dir: Path | None, as_json: bool, wait_s: float) -> int:
    """Prints whether a server is up, or within `wait_s` seconds is, and what runs there; 0 if one is up, else 1."""
    found = find_server(data_dir)
    with suppress(TimeoutError):
        pauses = Polling().pauses(wait_s, "no server is up")
        while not found["up"]:
            time.sleep(next(pauses))
            found = find_server(data_dir)
    if found["up"]:
        found["jobs"] = _running_jobs(found["url"])
    if as_json:
        print(json.dumps(found))
    else:
        _show(found)
    return 0 if found["up"] else 1


def find_server(data_dir: Path | None) -> dict[str, Any]:
    """`{up, url, pid}` of the server of a data folder, or of the one that the environment names.

    `pid` is None where the server was not found through its data folder; so is `url` where the folder names none.
    """
    client, pid = Client(), None
    if data_dir is not None:
        try:
            server = json.loads((data_dir.expanduser() / "server.json").read_text())
        except FileNotFoundError:
            return {"up": False, "url": None, "pid": None}
        client, pid = client_of(server["url"]), server["pid"]
    with client:
        return {"up": client.is_up(), "url": client.address, "pid": pid}


def client_of(url: str) -> Client:
    address = urlsplit(url)
    return Client(address.hostname, address.port)


def _running_jobs(url: str) -> list[dict[str, Any]] | None:
    """The jobs that run and that who asks may see; None where the environment does not say who asks."""
    email, password = os.environ.get("RAFIKI_EMAIL"), os.environ.get("RAFIKI_PASSWORD")
    if not (email and password):
        return None
    with client_of(url) as client:
        user = client.login(email, password)
        is_admin = user["user_type"] in (UserType.SUPERADMIN, UserType.ADMIN)
        user_ids = [one["id"] for one in client.get_users()] if is_admin else [user["id"]]
        jobs = []
        for user_id in user_ids:
            jobs += [{"kind": "train", **job} for job in client.get_train_jobs_by_user(user_id)]
            jobs += [{"kind": "inference", **job} for job in client.get_inference_jobs_by_user(user_id)]
    return [job for job in jobs if job["status"] in _RUNNING]


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    where = found["url"] or "this data folder"
    if not found["up"]:
        console.print(f"No Rafiki server is up at {where}. Start one with: rafiki serve", markup=False)
        return
    process = f" (process {found['pid']})" if found["pid"] else ""
    console.print(f"Rafiki is up at {where}{process}", markup=False)
    if found["jobs"] is None:
        console.print("Set RAFIKI_EMAIL and RAFIKI_PASSWORD to see the running jobs.")
    elif not found["jobs"]:
        console.print("No job is running.")
    else:
        table = Table("job", "app", "version", "status", "since", "predictor")
        for job in found["jobs"]:
            since, predictor = job["datetime_started"], job.get("predictor_host") or ""
            table.add_row(job["kind"], job["app"], str(job["app_version"]), job["status"], since, predictor)
        console.print(table)
