"""Migrations of the database. Imported only when the database's revision is not the current one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from rafiki.errors import NewerDatabaseError

FOLDER = Path(__file__).parent


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database to `revision`, within the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    _check_known(config, connection)
    command.upgrade(config, revision)


def _check_known(config: Config, connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:  # empty
        return
    try:
        ScriptDirectory.from_config(config).get_revision(current)
    except CommandError:
        raise NewerDatabaseError(
            f"the database is of revision {current!r}, unknown to this version of Rafiki: a newer one wrote it",
            hint="Install that version again, or start with another data folder.",
        ) from None
