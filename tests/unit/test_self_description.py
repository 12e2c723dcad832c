"""What the reference is made of says what it is."""

from __future__ import annotations

import inspect

from rafiki import errors
from rafiki.client import Client
from rafiki.settings import Settings


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_error_has_a_meaning() -> None:
    found = [value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__]
    assert [error.__name__ for error in found if not error.__dict__.get("__doc__")] == []


def test_every_method_of_the_client_has_a_docstring() -> None:
    methods = inspect.getmembers(Client, inspect.isfunction)
    assert [name for name, method in methods if not name.startswith("_") and not method.__doc__] == []
