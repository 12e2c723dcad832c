"""Publishing the starter models on a platform."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rafiki.client import Client
from rafiki.constants import ModelAccessRight, ModelStatus
from rafiki.starters.zoo import STARTERS, Starter


def install_starters(client: Client, tasks: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Publishes the starter models, of some tasks or of all, for every user of the platform.

    `client` is signed in as a model developer or an admin, who owns them. One that is there already, as this version
    of Rafiki has it, stays as it is; one of another version becomes a new version of the model. What another user
    has published under the same name for the same task is left alone, too.

    Returns a row for each: `id`, `name`, `task`, and `outcome`, which is `published`, `updated` or `unchanged`. Their
    checks go on behind it (`Client.wait_until_model_is_checked`). ValueError for a task without starter models.
    """
    wanted = _starters_of(tasks)
    own = {model["name"]: model for model in sorted(client.get_models(), key=lambda model: int(model["version"]))}
    others = {
        (model["name"], model["task"]): model
        for model in client.get_available_models()
        if model["name"] not in own and model["access_right"] == ModelAccessRight.PUBLIC
    }
    return [
        _install(client, starter, own.get(starter.name), others.get((starter.name, starter.task))) for starter in wanted
    ]


def _starters_of(tasks: Iterable[str] | None) -> list[Starter]:
    if tasks is None:
        return list(STARTERS)
    names = [tasks] if isinstance(tasks, str) else list(tasks)
    known = dict.fromkeys(starter.task for starter in STARTERS)
    for name in names:
        if name not in known:
            raise ValueError(f"there are no starter models for the task {name!r}; there are for {', '.join(known)}")
    return [starter for starter in STARTERS if starter.task in names]


def _install(
    client: Client, starter: Starter, own: dict[str, Any] | None, others: dict[str, Any] | None
) -> dict[str, Any]:
    if own is None and others is not None:
        model, outcome = others, "unchanged"
    elif own is not None and _is_current(client, starter, own):
        model, outcome = own, "unchanged"
    else:
        model = client.create_model(
            starter.name,
            starter.task,
            starter.path,
            starter.name,
            dict(starter.dependencies),
            ModelAccessRight.PUBLIC,
            new_version=own is not None,
        )
        outcome = "published" if own is None else "updated"
    return {"id": model["id"], "name": starter.name, "task": starter.task, "outcome": outcome}


def _is_current(client: Client, starter: Starter, model: dict[str, Any]) -> bool:
    """Whether a model is this starter as it is now, and usable as far as is known."""
    if model["status"] == ModelStatus.INVALID or model["access_right"] != ModelAccessRight.PUBLIC:
        return False
    if model["task"] != starter.task or (model["dependencies"] or {}) != dict(starter.dependencies):
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / starter.path.name
        client.download_model_file(model["id"], path)
        return path.read_bytes() == starter.path.read_bytes()
