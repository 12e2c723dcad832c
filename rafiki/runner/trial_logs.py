"""Log lines on their way from the workers to the store, in batches."""

from __future__ import annotations

import asyncio

from rafiki.model.log import message_line
from rafiki.runner.context import RunnerContext
from rafiki.worker.frames import Log

FLUSH_INTERVAL_S = 0.5
FLUSH_BYTES = 64 * 1024


class TrialLogs:
    """Gathers each trial's lines and writes them every half second, or every 64 KB."""

    def __init__(self, context: RunnerContext) -> None:
        self._context = context
        self._lines: dict[str, list[str]] = {}
        self._n_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Task[None]] = set()

    def add(self, trial_id: str, log: Log) -> None:
        """Take a worker's log frame for the trial that it runs; what it says of another trial is not believed."""
        if log.trial_id != trial_id:
            return
        lines = list(log.lines)
        if log.n_dropped:
            lines.append(message_line(f"{log.n_dropped} log entries were dropped: they came too fast to be kept"))
        self._lines.setdefault(trial_id, []).extend(lines)
        self._n_bytes += sum(map(len, lines))
        if self._n_bytes >= FLUSH_BYTES:
            self._write_soon()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_INTERVAL_S, self._write_soon)

    def _write_soon(self) -> None:
        writing = asyncio.create_task(self.flush())
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def flush(self) -> None:
        """Write all that was gathered. Store calls happen in order, so a trial's lines stay in order."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines, self._n_bytes = self._lines, {}, 0
        for trial_id, batch in lines.items():
            await self._context.db(self._context.store.trials.append_log, trial_id, batch)
