"""Trials."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rafiki.client.progress import of_transfer
from rafiki.client.records import readable
from rafiki.client.section import Section
from rafiki.client.steps import ByteProgress, Call, Download, Row, Step, part

if TYPE_CHECKING:
    from rafiki.model import BaseModel

Model = TypeVar("Model", bound="BaseModel")

_PAGE = 1000


class Trials(Section):
    def get_trial(self, trial_id: str) -> Row:
        """One trial."""
        return self._run(_trial(trial_id))

    def get_best_trials_of_train_job(self, app: str, app_version: int = -1, max_count: int = 2) -> list[Row]:
        """The best completed and saved trials, the best first."""
        params = {"type": "best", "max_count": max_count}
        return self._run(Call[list[Row]]("GET", f"/train_jobs/{part(app)}/{app_version}/trials", params=params))

    def get_trials_of_train_job(self, app: str, app_version: int = -1) -> list[Row]:
        """All trials, the newest first."""
        return self._run(all_trials(app, app_version))

    def get_trial_logs(self, trial_id: str) -> Row:
        """What a trial logged: `messages`, `metrics`, `plots`, in order."""
        return self._run(Call[Row]("GET", f"/trials/{part(trial_id)}/logs"))

    def get_trial_parameters(self, trial_id: str) -> dict[str, Any]:
        """A trial's trained parameters, as its template's `dump_parameters` gave them."""
        return self._run(_parameters(trial_id))

    def download_trial_parameters(
        self, trial_id: str, out_path: str | os.PathLike[str], progress: ByteProgress | bool | None = None
    ) -> None:
        """Writes a trial's trained parameters to a local file, in the format of `rafiki.model.params`.

        They go to the file as they arrive; `progress` is called with the bytes so far and all there are, or True: it
        shows a bar.
        """
        return self._run(_download(trial_id, Path(out_path).expanduser(), progress))

    def load_trial_model(self, trial_id: str, ModelClass: type[Model]) -> Model:  # noqa: N803 (the contract's name)
        """A local, trained instance of a trial's model, given its template's class. Its code runs here."""

        def load() -> Generator[Step, Any, Model]:
            trial = yield from _trial(trial_id)
            params = yield from _parameters(trial_id)
            model = ModelClass(**trial["proposal"]["knobs"])
            model.load_parameters(params)
            return model

        return self._run(load())


def all_trials(app: str, app_version: int) -> Generator[Step, Any, list[Row]]:
    trials: dict[str, Row] = {}  # by id: a trial that starts meanwhile shifts the next page by one
    offset = 0
    while True:
        params = {"limit": _PAGE, "offset": offset}
        page = yield from Call[list[Row]]("GET", f"/train_jobs/{part(app)}/{app_version}/trials", params=params)
        trials.update((trial["id"], trial) for trial in page)
        if len(page) < _PAGE:
            answer: list[Row] = readable(list(trials.values()))
            return answer
        offset += _PAGE


def _trial(trial_id: str) -> Call[Row]:
    return Call("GET", f"/trials/{part(trial_id)}")


def _download(trial_id: str, path: Path, progress: ByteProgress | bool | None) -> Generator[Step, Any, None]:
    with of_transfer(f"Downloading {path.name}", progress) as report:
        yield from Call[None]("GET", f"/trials/{part(trial_id)}/parameters", download=Download(path, report))


def _parameters(trial_id: str) -> Generator[Step, Any, dict[str, Any]]:
    from rafiki.model.params import unpack_params

    packed = yield from Call[bytes]("GET", f"/trials/{part(trial_id)}/parameters")
    return unpack_params(packed)
