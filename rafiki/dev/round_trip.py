"""Whether a template survives storage: what is loaded from its parameters predicts as what was trained."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from typing import Any

from rafiki.dev import report
from rafiki.dev.new_process import Answers, Source, predict_in_new_process
from rafiki.dev.template import checked, load_trained, predict, sentence
from rafiki.entities import Failure, FailureCode
from rafiki.model import BaseModel, Knobs, Params
from rafiki.model.places import place_of
from rafiki.tasks import Task
from rafiki.worker.failures import TrialFailed
from rafiki.worker.trial import destroy

#: By how much numbers may differ, as a share of the largest of a prediction: rounding, another order of summing.
_TOLERANCE = 1e-3
_RIGHT = "return from `dump_parameters` all that `predict` needs, and restore it in `load_parameters`"


class RoundTrip:
    """Compares a trained instance with one that a new process loads from what the first dumped."""

    def __init__(self, source: Source, model_class: type[BaseModel], task: Task, queries: Sequence[Any]) -> None:
        """`queries` are decoded ones; without any, only loading is tried."""
        self._source = source
        self._class = model_class
        self._task = task
        self._queries = list(queries)
        self._trained: list[Any] | TrialFailed = []
        self.is_done = False
        self.is_compared = False
        self.duration_s = 0.0

    @property
    def n_queries(self) -> int:
        return len(self._queries)

    @property
    def predictions(self) -> list[Any]:
        """Of the trained instance."""
        return [] if isinstance(self._trained, TrialFailed) else self._trained

    def look(self, model: BaseModel) -> None:
        """Note what the trained instance predicts, or how it fails to."""
        try:
            self._trained = self._predict(model)
        except TrialFailed as error:
            self._trained = error

    def check(self, knobs: Knobs, params: Params) -> None:
        """Raises `TrialFailed` where an instance with these parameters does not load, or not predict as the first."""
        self.is_done = True
        started = time.monotonic()
        self._check(knobs, params)
        self.duration_s = time.monotonic() - started
        what = "it predicts the same" if self.is_compared else "it can be used"
        report.note(f"  loaded from its parameters in a new process, {what}{report.seconds(self.duration_s)}")

    def _check(self, knobs: Knobs, params: Params) -> None:
        trained = self._trained
        if isinstance(trained, TrialFailed) and trained.failure.code != FailureCode.EXCEPTION:
            raise trained
        # The second batch tells whether predictions depend on anything but queries, the third how one alone does.
        batches = [self._queries, self._queries, self._queries[:1]] if self._queries else []
        answers = predict_in_new_process(self._source, knobs, params, batches)
        if isinstance(trained, TrialFailed) and answers.failure is not None:
            raise trained
        if not answers.is_loaded or len(answers.batches) < min(1, len(batches)):
            raise self._explained(answers, knobs, params)
        if answers.failure is not None:
            wrong = f"`predict` fails on a single query: {_told(answers)}"
            raise self._failed(answers.failure.code, "predict", wrong)
        if batches:
            batch, again, alone = answers.batches
            batch = checked(self._class, self._task, self._queries, batch)
            if self._is_alike(batch, again, alone):
                self._check_kept(batch, knobs, params)

    def _predict(self, model: BaseModel) -> list[Any]:
        if not self._queries:
            return []
        return predict(model, self._task, copy.deepcopy(self._queries))  # a template may change what it gets

    def _is_alike(self, batch: list[Any], again: list[Any], alone: list[Any]) -> bool:
        """Whether a query is answered alike whenever it comes; it must be, whatever comes with it."""
        if first_difference(batch, again) is not None:
            report.warning("`predict` answers the same queries differently each time, so that nothing can be compared.")
            return False
        if first_difference(batch[:1], alone) is not None:
            wrong = f"`predict` answers query 0 with {report.shown(batch[0])} among others, but with "
            wrong += f"{report.shown(alone[0])} alone; let a prediction depend on its own query only"
            raise self._failed(FailureCode.BAD_PREDICTIONS, "predict", wrong)
        return True

    def _check_kept(self, batch: list[Any], knobs: Knobs, params: Params) -> None:
        """Nothing is lost on the way through storage."""
        if isinstance(self._trained, TrialFailed):
            report.warning(
                "`predict` works on an instance that was loaded, but fails on the trained one, "
                f"so that the two cannot be compared: {sentence(self._trained.failure)}"
            )
            return
        self.is_compared = True
        i = first_difference(self._trained, batch)
        if i is not None:
            wrong = f"query {i} is predicted as {report.shown(self._trained[i])} when trained, but as "
            wrong += f"{report.shown(batch[i])} by an instance that was loaded in a new process"
            raise self._lost(wrong, FailureCode.BAD_PREDICTIONS, knobs, params)

    def _explained(self, answers: Answers, knobs: Knobs, params: Params) -> TrialFailed:
        """Why the new process could not load, or not predict though the trained instance could."""
        assert answers.failure is not None
        failure = answers.failure
        if failure.code in (FailureCode.MISSING_DEPENDENCY, FailureCode.IMPORT_ERROR):
            return TrialFailed(failure)
        method = "predict" if answers.is_loaded else "load_parameters"
        wrong = f"`{method}` fails on a new instance in a new process: {_told(answers)}"
        if failure.code in (FailureCode.KILLED, FailureCode.EXITED):  # this process must not end like that one
            return self._failed(failure.code, method, f"{wrong}; a template's code must not end its process")
        return self._lost(wrong, failure.code, knobs, params)

    def _lost(self, wrong: str, code: str, knobs: Knobs, params: Params) -> TrialFailed:
        """The failure of a state that is not whole, with the reason: does a new instance have it in this process?"""
        if self._is_here(knobs, params):
            wrong += "; what it needs is kept in a class attribute, a global or a file"
        return self._failed(code, "load_parameters", f"{wrong}; {_RIGHT}")

    def _is_here(self, knobs: Knobs, params: Params) -> bool:
        try:
            model = load_trained(self._class, knobs, copy.deepcopy(params))
            try:
                return first_difference(self._trained, self._predict(model)) is None
            finally:
                destroy(model)
        except TrialFailed:
            return False

    def _failed(self, code: str, method: str, wrong: str) -> TrialFailed:
        return TrialFailed(Failure(code, f"{place_of(getattr(self._class, method))}{wrong}."))


def _told(answers: Answers) -> str:
    assert answers.failure is not None
    return sentence(answers.failure).rstrip(".")


def first_difference(expected: Any, predictions: Sequence[Any]) -> int | None:
    """Index of the first prediction that is another one than expected; numbers may differ by rounding."""
    pairs = enumerate(zip(expected, predictions, strict=True))
    return next((i for i, (one, other) in pairs if not _is_same(one, other, _TOLERANCE * _largest(one))), None)


def _largest(value: Any) -> float:
    """The largest magnitude of the numbers in a prediction."""
    if isinstance(value, (list, dict)):
        return max(map(_largest, value.values() if isinstance(value, dict) else value), default=0.0)
    return abs(value) if isinstance(value, float) else 0.0


def _is_same(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=0.0, abs_tol=tolerance)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_is_same(*pair, tolerance) for pair in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key], tolerance) for key in one)
    return bool(one == other)
