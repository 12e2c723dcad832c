"""Trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rafiki.client.connection import Connection, Row, part

if TYPE_CHECKING:
    from rafiki.model import BaseModel

Model = TypeVar("Model", bound="BaseModel")

_PAGE = 1000


class Trials(Connection):
    def get_trial(self, trial_id: str) -> Row:
        """One trial."""
        answer: Row = self._call("GET", f"/trials/{part(trial_id)}")
        return answer

    def get_best_trials_of_train_job(self, app: str, app_version: int = -1, max_count: int = 2) -> list[Row]:
        """The best completed and saved trials, the best first."""
        params = {"type": "best", "max_count": max_count}
        answer: list[Row] = self._call("GET", f"/train_jobs/{part(app)}/{app_version}/trials", params=params)
        return answer

    def get_trials_of_train_job(self, app: str, app_version: int = -1) -> list[Row]:
        """All trials, the newest first."""
        trials: dict[str, Row] = {}  # by id: a trial that starts meanwhile shifts the next page by one
        offset = 0
        while True:
            params = {"limit": _PAGE, "offset": offset}
            page: list[Row] = self._call("GET", f"/train_jobs/{part(app)}/{app_version}/trials", params=params)
            trials.update((trial["id"], trial) for trial in page)
            if len(page) < _PAGE:
                return list(trials.values())
            offset += _PAGE

    def get_trial_logs(self, trial_id: str) -> Row:
        """What a trial logged: `messages`, `metrics`, `plots`, in order."""
        answer: Row = self._call("GET", f"/trials/{part(trial_id)}/logs")
        return answer

    def get_trial_parameters(self, trial_id: str) -> dict[str, Any]:
        """A trial's trained parameters, as its template's `dump_parameters` gave them."""
        from rafiki.model.params import unpack_params

        packed: bytes = self._call("GET", f"/trials/{part(trial_id)}/parameters")
        return unpack_params(packed)

    def load_trial_model(self, trial_id: str, ModelClass: type[Model]) -> Model:  # noqa: N803 (the contract's name)
        """A local, trained instance of a trial's model, given its template's class. Its code runs here."""
        knobs = self.get_trial(trial_id)["proposal"]["knobs"]
        model = ModelClass(**knobs)
        model.load_parameters(self.get_trial_parameters(trial_id))
        return model
