"""`rafiki serve`."""

from __future__ import annotations

from typing import Any

from rafiki.errors import InvalidSettingsError, RafikiError


def serve(flags: dict[str, Any], leave_running: bool) -> int:
    """Runs a server until it is stopped; its exit status. Flags that are None were not given."""
    try:
        from rafiki.server.main import run_server
        from rafiki.settings import Settings
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("rafiki"):
            raise
        raise RafikiError(f"a server needs {error.name}", hint="pip install 'rafiki[server]'") from error
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValueError as error:  # of pydantic, which names the settings, or of a rafiki.toml that is no TOML
        raise InvalidSettingsError(_sentence(error)) from error
    return run_server(settings, leave_running)


def _sentence(error: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return f"rafiki.toml cannot be read: {error}"
    return "; ".join(f"{'.'.join(map(str, one['loc']))} is {one['input']!r}: {one['msg']}" for one in error.errors())
