"""The list of one's train jobs, live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from rafiki.client import RafikiConnectionError
from rafiki.web import format
from rafiki.web.session import Session

REFRESH_S = 2.0

_COLUMNS: list[dict[str, Any]] = [
    {"name": "app", "label": "App", "field": "app", "align": "left", "sortable": True},
    {"name": "version", "label": "Version", "field": "version", "align": "right"},
    {"name": "task", "label": "Task", "field": "task", "align": "left"},
    {"name": "status", "label": "Status", "field": "status", "align": "left"},
    {"name": "deployed", "label": "Deployed at", "field": "deployed", "align": "left"},
    {"name": "started", "label": "Started (UTC)", "field": "started", "align": "left", "sortable": True},
    {"name": "duration", "label": "Duration", "field": "duration", "align": "right"},
]
_STATUS_CELL = '<q-td :props="props"><q-badge :color="props.row.color">{{ props.value }}</q-badge></q-td>'


class JobsView:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def show(self) -> None:
        with ui.column().classes("w-full max-w-6xl mx-auto p-4"):
            ui.label("Train jobs").classes("text-xl")
            self._empty = ui.label("No train job yet. One starts with the client's create_train_job.")
            self._table = ui.table(columns=_COLUMNS, rows=[], row_key="id").classes("w-full")
            self._table.add_slot("body-cell-status", _STATUS_CELL)
            self._table.on("rowClick", lambda event: self._open(event.args[1]))
            self._problem = ui.label().classes("text-negative").props("role=alert")
            self._rows_of(*await self._fetch())
            ui.timer(REFRESH_S, self._refresh, immediate=False)

    def _open(self, row: dict[str, Any]) -> None:
        ui.navigate.to(f"/jobs/{row['app']}/{row['version']}")

    async def _fetch(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        client, user_id = self._session.client, self._session.user_id
        jobs = await self._session.call(client.get_train_jobs_by_user, user_id)
        return jobs, await self._session.call(client.get_inference_jobs_by_user, user_id)

    async def _refresh(self) -> None:
        try:
            self._rows_of(*await self._fetch())
            self._problem.set_text("")
        except RafikiConnectionError as error:
            self._problem.set_text(f"{error.name}: {error.message}")

    def _rows_of(self, jobs: list[dict[str, Any]], inference_jobs: list[dict[str, Any]]) -> None:
        now = datetime.now(UTC)
        deployed = {job["train_job_id"]: job["predictor_host"] for job in inference_jobs if job["status"] == "RUNNING"}
        rows = [
            {
                "id": job["id"],
                "app": job["app"],
                "version": job["app_version"],
                "task": job["task"],
                "status": job["status"],
                "color": format.STATUS_COLORS.get(job["status"], "grey"),
                "deployed": deployed.get(job["id"], ""),
                "started": format.local_time(job["datetime_started"]),
                "duration": format.duration(job["datetime_started"], job["datetime_stopped"], now),
            }
            for job in jobs
        ]
        if rows != self._table.rows:
            self._table.update_rows(rows, clear_selection=False)
        self._empty.set_visibility(not rows)
        self._table.set_visibility(bool(rows))
