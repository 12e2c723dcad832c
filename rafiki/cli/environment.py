"""`rafiki environment`: for admins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.options import Json, Server, examples
from rafiki.cli.output import Columns, bytes_text, print_json, say, show_rows, time_of
from rafiki.client.steps import Row

app = typer.Typer(help="Environments of models: list them, remove those that are not needed.", no_args_is_help=True)

_N_SHOWN = 4
_COLUMNS: Columns = {
    "id": "id",
    "python": "python",
    "packages": lambda row: _packages_text(row["packages"]),
    "models": "n_models",
    "size": lambda row: bytes_text(row["size_bytes"]),
    "of its own": lambda row: bytes_text(row["own_bytes"]),
    "last used": lambda row: "now" if row["is_in_use"] else time_of("datetime_last_used")(row),
}


@app.command("list", epilog=examples("rafiki environment list"))
def list_environments(server: Server = None, as_json: Json = False) -> None:
    """All environments, with their size and last use.

    Most of an environment's size is links to the cache of packages, which all of them share; what is of its own is
    given back when it is removed.
    """
    with sign_in(server) as client:
        show_rows(client.get_environments(), _COLUMNS, as_json)


@app.command(
    epilog=examples(
        "rafiki environment prune", "rafiki environment prune --unused-for 30", "rafiki environment prune --yes"
    )
)
def prune(
    unused_for: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS", min=0, help="Also those that models need, unused for so long: they are built again."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove them; else they are only listed.")] = False,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Remove environments that no model needs any more. Lists them; removes them with --yes."""
    with sign_in(server) as client:
        unneeded = [row for row in client.get_environments() if _is_unneeded(row, unused_for)]
        if yes:
            for row in unneeded:
                client.delete_environment(row["id"])
    if as_json:
        print_json({"removed": yes, "environments": unneeded})
        return
    show_rows(unneeded, _COLUMNS, as_json, nothing="No environment can be removed.")
    if unneeded:
        own = bytes_text(sum(row["own_bytes"] for row in unneeded))
        n = f"{len(unneeded)} environment{'s' if len(unneeded) > 1 else ''}"
        say(f"Removed {n}: {own}." if yes else f"{n}, {own}, would be removed. Do it with --yes.")


def _is_unneeded(row: Row, unused_days: float | None) -> bool:
    if row["is_in_use"]:
        return False
    if unused_days is None:
        return not row["n_models"]
    last_used = datetime.fromisoformat(row["datetime_last_used"])
    return not row["n_models"] or last_used < datetime.now(UTC) - timedelta(days=unused_days)


def _packages_text(packages: dict[str, str]) -> str:
    """The packages that tell environments apart."""
    always = {"certifi", "charset-normalizer", "idna", "urllib3", "requests", "pillow"}
    named = [f"{name} {version}" for name, version in packages.items() if name not in always]
    more = f" and {len(packages) - len(named[:_N_SHOWN])} more" if len(packages) > len(named[:_N_SHOWN]) else ""
    return ", ".join(named[:_N_SHOWN]) + more
