"""`rafiki serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafiki.errors import InvalidSettingsError, RafikiError

if TYPE_CHECKING:
    from rafiki.settings import Settings


def serve(flags: dict[str, Any], leave_running: bool) -> int:
    """Runs a server until it is stopped; its exit status. Flags that are None were not given."""
    try:
        settings = read_settings(flags)
        from rafiki.server.main import run_server
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("rafiki"):
            raise
        raise RafikiError(f"a server needs {error.name}", hint="pip install 'rafiki[server]'") from error
    return run_server(settings, leave_running)


def read_settings(flags: dict[str, Any]) -> Settings:
    """A server's settings with these flags; `InvalidSettingsError` names what is wrong with them."""
    from rafiki.settings import Settings

    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValueError as error:  # of pydantic, which names the settings, or of a rafiki.toml that is no TOML
        raise InvalidSettingsError(_sentence(error)) from error


def _sentence(error: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return f"rafiki.toml cannot be read: {error}"
    return "; ".join(f"{'.'.join(map(str, one['loc']))} is {one['input']!r}: {one['msg']}" for one in error.errors())
