"""Migrations of the database. Imported only when the database's revision is not the current one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database to `revision`, within the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    _check_known(config, connection)
    command.upgrade(config, revision)


def _check_known(config: Config, connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    try:
        ScriptDirectory.from_config(config).get_revision(str(current))
    except CommandError:
        raise RuntimeError(
            f"the database is of revision {current!r}, which this version of Rafiki does not know: it was written by "
            "a newer one; install that one again, or start with another data folder"
        ) from None
