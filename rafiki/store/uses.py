"""What depends on a row, named so that its user knows what to delete first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, select

from rafiki.store.schema import jobs, train_job_models, train_jobs

_MAX_NAMED = 5


def name_train_jobs(c: Connection, is_used: ColumnElement[bool], of_user: str | None = None) -> str:
    """The train jobs for which `is_used` holds, in words; empty where there is none.

    With `of_user`, the jobs of others are counted, not named: what they are called is theirs to know.
    """
    query = (
        select(*jobs.c["user_id", "app", "app_version"])
        .select_from(jobs)
        .join(train_jobs, train_jobs.c.id == jobs.c.id)
        .outerjoin(train_job_models, train_job_models.c.job_id == jobs.c.id)
        .where(is_used)
        .distinct()
        .order_by(jobs.c.app, jobs.c.app_version)
    )
    rows = c.execute(query).all()
    own = [name_app(row.app, row.app_version) for row in rows if of_user in (None, row.user_id)]
    return name_some("train job", own, n_others=len(rows) - len(own))


def name_app(app: str, version: int) -> str:
    return f"{app!r} (version {version})"


def name_some(what: str, names: Sequence[str], n_others: int = 0) -> str:
    """`train jobs 'a' (version 1), 'b' (version 1) and 2 more of other users`."""
    if not names:
        return f"{n_others} {what}{'s' * (n_others != 1)} of other users" if n_others else ""
    shown = ", ".join(names[:_MAX_NAMED])
    if len(names) > _MAX_NAMED:
        shown += f" and {len(names) - _MAX_NAMED} more"
    text = f"{what}{'s' * (len(names) != 1)} {shown}"
    return text + (f" and {n_others} more of other users" if n_others else "")
