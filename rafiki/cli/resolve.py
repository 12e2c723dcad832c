"""People name things by their names; the API by ids."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from rafiki.cli.output import time_text
from rafiki.client import Client
from rafiki.client.steps import Row
from rafiki.errors import InvalidDatasetError, InvalidModelError, InvalidUserError, RafikiError


def dataset_id(client: Client, name_or_id: str) -> str:
    """The id of one of the caller's datasets."""
    if _is_id(name_or_id):
        return name_or_id
    named = [dataset for dataset in client.get_datasets() if dataset["name"] == name_or_id]
    return _only(named, InvalidDatasetError, f"dataset named {name_or_id!r}", "rafiki dataset list")


def model_id(client: Client, name_or_id: str, task: str | None = None) -> str:
    """The id of a model that the caller may use; of several versions, the latest one's."""
    if _is_id(name_or_id):
        return name_or_id
    named = [model for model in client.get_available_models(task) if model["name"] == name_or_id]
    return _latest(named, name_or_id)


def own_model_id(client: Client, name_or_id: str) -> str:
    """The id of one of the caller's own models, also of one that turned out unusable."""
    if _is_id(name_or_id):
        return name_or_id
    return _latest([model for model in client.get_models() if model["name"] == name_or_id], name_or_id)


def user_id(client: Client, email_or_id: str) -> str:
    """The id of a user. For admins."""
    if _is_id(email_or_id):
        return email_or_id
    named = [user for user in client.get_users() if user["email"].lower() == email_or_id.lower()]
    return _only(named, InvalidUserError, f"user {email_or_id!r}", "rafiki user list")


def _latest(named: list[Row], name: str) -> str:
    if len({model["user_id"] for model in named}) == 1:
        return str(max(named, key=lambda model: model.get("version") or 1)["id"])
    return _only(named, InvalidModelError, f"model named {name!r}", "rafiki model list --available")


def _only(named: Sequence[Row], error: type[RafikiError], what: str, lister: str) -> str:
    if not named:
        raise error(f"there is no {what}", f"{lister} shows what there is")
    if len(named) > 1:
        ids = ", ".join(f"{one['id']} ({time_text(one.get('datetime_created'))})" for one in named)
        raise error(f"there are {len(named)} of this: {what}", f"name one by its id: {ids}")
    return str(named[0]["id"])


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
