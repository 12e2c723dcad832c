"""One train job: its progress, its trials and what each of them logged, live while it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from rafiki.client import RafikiConnectionError
from rafiki.web import charts, format
from rafiki.web.session import Session

REFRESH_S = 1.0
#: Newest messages of a trial that are shown; a chatty template may have logged a million.
MAX_MESSAGES = 500

Row = dict[str, Any]

_COLUMNS: list[dict[str, Any]] = [
    {"name": "no", "label": "No", "field": "no", "align": "right", "sortable": True},
    {"name": "model", "label": "Model", "field": "model", "align": "left", "sortable": True},
    {"name": "status", "label": "Status", "field": "status", "align": "left"},
    {"name": "score", "label": "Score", "field": "score", "align": "right", "sortable": True},
    {"name": "duration", "label": "Duration", "field": "duration", "align": "right"},
    {"name": "knobs", "label": "Knobs", "field": "knobs", "align": "left", "style": "white-space: normal"},
    {"name": "error", "label": "Error", "field": "error", "align": "left", "style": "white-space: normal"},
]
_STATUS_CELL = '<q-td :props="props"><q-badge :color="props.row.color">{{ props.value }}</q-badge></q-td>'


class JobView:
    def __init__(self, session: Session, app: str, version: int) -> None:
        self._session = session
        self._app = app
        self._version = version
        self._selected: str | None = None
        self._is_final = False

    async def show(self) -> None:
        job, trials = await self._fetch()
        with ui.column().classes("w-full max-w-6xl mx-auto p-4"):
            self._build()
            self._update(job, trials)
            self._timer = ui.timer(REFRESH_S, self._refresh, immediate=False)

    def _build(self) -> None:
        with ui.row().classes("items-center"):
            ui.label(f"{self._app}, version {self._version}").classes("text-xl")
            self._status = ui.badge("")
        self._summary = ui.label().classes("text-gray-700")
        self._job_error = ui.label().classes("text-negative").props("role=alert")
        self._chart = ui.echart(charts.scores([])).classes("w-full h-64")
        self._table = ui.table(columns=_COLUMNS, rows=[], row_key="id", pagination=20).classes("w-full")
        self._table.add_slot("body-cell-status", _STATUS_CELL)
        self._table.on("rowClick", lambda event: self._select(event.args[1]))
        self._hint = ui.label("Click a trial to see what it logged.").classes("text-gray-600")
        self._logs = ui.column().classes("w-full")

    async def _fetch(self) -> tuple[Row, list[Row]]:
        client = self._session.client
        job = await self._session.call(client.get_train_job, self._app, self._version)
        return job, await self._session.call(client.get_trials_of_train_job, self._app, self._version)

    async def _refresh(self) -> None:
        try:
            self._update(*await self._fetch())
            if self._selected and not self._is_final:
                await self._show_logs(self._selected)
        except RafikiConnectionError as error:
            self._job_error.set_text(f"{error.name}: {error.message}")

    def _update(self, job: Row, trials: list[Row]) -> None:
        now = datetime.now(UTC)
        self._status.set_text(job["status"])
        self._status.props(f"color={format.STATUS_COLORS.get(job['status'], 'grey')}")
        self._summary.set_text(_summary(job, trials, now))
        self._job_error.set_text(format.reason(job.get("error")))
        rows = [_row(trial, now) for trial in trials]
        if rows != self._table.rows:
            self._table.update_rows(rows, clear_selection=False)
            self._chart.options.update(charts.scores(trials))
            self._chart.update()
        if job["status"] in ("STOPPED", "ERRORED") and hasattr(self, "_timer"):
            self._timer.deactivate()

    # One trial's log --------------------------------------------------------------------------------------------------

    async def _select(self, row: Row) -> None:
        self._selected = row["id"]
        self._is_final = False
        self._hint.set_visibility(False)
        await self._show_logs(row["id"])

    async def _show_logs(self, trial_id: str) -> None:
        client = self._session.client
        trial = await self._session.call(client.get_trial, trial_id)
        logs = await self._session.call(client.get_trial_logs, trial_id)
        self._is_final = trial["status"] not in ("PENDING", "RUNNING")
        self._logs.clear()
        with self._logs:
            ui.label(f"Trial {trial['no']} of {trial['model_name']}").classes("text-lg")
            told = ", ".join(f"{name} = {value}" for name, value in charts.single_values(logs).items())
            if told:
                ui.label(told)
            for option in charts.trial_plots(logs):
                ui.echart(option).classes("w-full h-56")
            messages = logs["messages"][-MAX_MESSAGES:]
            if len(messages) < len(logs["messages"]):
                ui.label(f"The newest {len(messages)} of {len(logs['messages'])} messages.").classes("text-gray-600")
            lines = [f"{format.local_time(entry['time'])}  {entry['message']}" for entry in messages]
            ui.label("\n".join(lines) or "No messages.").classes("font-mono text-xs whitespace-pre-wrap w-full")


def _summary(job: Row, trials: list[Row], now: datetime) -> str:
    counts = [
        f"{n} {word}"
        for word, n in (
            ("completed", sum(trial["status"] == "COMPLETED" for trial in trials)),
            ("running", sum(trial["status"] == "RUNNING" for trial in trials)),
            ("failed", sum(trial["status"] == "ERRORED" for trial in trials)),
        )
        if n
    ]
    best = max((trial["score"] for trial in trials if trial["score"] is not None), default=None)
    parts = [
        job["task"],
        "trials: " + (", ".join(counts) or "none yet"),
        f"best score {best:.4f}" if best is not None else "",
        format.duration(job["datetime_started"], job["datetime_stopped"], now),
    ]
    return "  |  ".join(part for part in parts if part)


def _row(trial: Row, now: datetime) -> Row:
    return {
        "id": trial["id"],
        "no": trial["no"],
        "model": trial["model_name"],
        "status": trial["status"],
        "color": format.STATUS_COLORS.get(trial["status"], "grey"),
        "score": format.score(trial["score"]),
        "duration": format.duration(trial["datetime_started"], trial["datetime_stopped"], now),
        "knobs": format.knobs(trial["proposal"]),
        "error": format.reason(trial.get("error")),
    }
