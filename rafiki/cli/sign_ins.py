"""Who is signed in where: kept between commands, in a file that its owner alone can read."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rafiki.errors import InvalidSettingsError


def config_dir() -> Path:
    """The user's configuration folder of Rafiki."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".config") / "rafiki"


class SignIns:
    """`{email, id, user_type, token}` per server's address, and at which server one signed in last."""

    def __init__(self) -> None:
        self._path = config_dir() / "sign-ins.json"

    @property
    def path(self) -> Path:
        return self._path

    @property
    def last(self) -> str | None:
        """The address of the server where one signed in last, and still is."""
        last = self._read()["last"]
        return str(last) if last else None

    def of(self, address: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._read()["servers"].get(address)
        return found

    def remember(self, address: str, sign_in: dict[str, Any]) -> None:
        kept = self._read()
        self._write({"last": address, "servers": {**kept["servers"], address: sign_in}})

    def forget(self, address: str) -> dict[str, Any] | None:
        """What was kept for a server; None if nothing was."""
        kept = self._read()
        forgotten: dict[str, Any] | None = kept["servers"].pop(address, None)
        if forgotten is not None:
            last = kept["last"] if kept["last"] != address else next(reversed(kept["servers"]), None)
            self._write({"last": last, "servers": kept["servers"]})
        return forgotten

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text())
            return {"last": kept["last"], "servers": dict(kept["servers"])}
        except FileNotFoundError:
            return {"last": None, "servers": {}}
        except (ValueError, KeyError, TypeError) as error:
            message = f"{self._path} is not what `rafiki login` wrote: {error}"
            raise InvalidSettingsError(message, "remove it, and sign in again") from error

    def _write(self, kept: dict[str, Any]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=".sign-ins")  # 0600
        with os.fdopen(descriptor, "w") as file:
            json.dump(kept, file, indent=2)
        Path(name).replace(self._path)
