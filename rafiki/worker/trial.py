"""The one place that takes a template through a trial, on the platform and on a laptop alike."""

from __future__ import annotations

import logging
import math
import numbers
from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Optional, Type

import numpy as np

from rafiki.entities import Failure, FailureCode
from rafiki.errors import InvalidParamsError, InvalidPredictionError
from rafiki.model.base import BaseModel
from rafiki.model.params import Params, check_params
from rafiki.model.places import place_of
from rafiki.tasks import to_json_value
from rafiki.worker.failures import TrialFailed, failure_of, format_user_traceback

_log = logging.getLogger("rafiki.worker")

#: Attributes of the record with the traceback of a failure that is raised as well.
TRACEBACK_OF_FAILURE = {"is_traceback_of_failure": True}


@dataclass(frozen=True)
class TrialOutcome:
    score: Optional[float]  # finite; None when the trial was not to be evaluated
    params: Optional[Params]  # checked; None when not wanted


def run_trial(
    model_class: Type[BaseModel],
    knobs: Mapping[str, Any],
    train_path: str,
    val_path: str,
    shared_params: Optional[Params] = None,
    train_args: Optional[Mapping[str, Any]] = None,
    to_eval: bool = True,
    want_params: bool = True,
    look: Optional[Callable[[BaseModel], None]] = None,
) -> TrialOutcome:
    """Construct, train, evaluate, dump. The model is destroyed at the end, however that comes.

    `look` is called with the trained model before that, after all else.

    Raises `TrialFailed` for whatever the template does wrong, a `SystemExit` included; `KeyboardInterrupt` passes.
    """
    model: Optional[BaseModel] = None
    try:
        model = model_class(**knobs)
        model.train(train_path, shared_params=shared_params, **(train_args or {}))
        score = check_score(model_class, model.evaluate(val_path)) if to_eval else None
        params = _dump(model) if want_params else None
        if look is not None:
            look(model)
        return TrialOutcome(score, params)
    except (TrialFailed, KeyboardInterrupt):
        raise
    except BaseException as error:  # a template may raise anything, and none of it may end the worker
        _log.error(format_user_traceback(error), extra=TRACEBACK_OF_FAILURE)
        raise TrialFailed(failure_of(error, model_class)) from error
    finally:
        if model is not None:
            destroy(model)


def check_score(model_class: Type[BaseModel], score: Any) -> float:
    """What `evaluate` returned, as a finite float. Raises `TrialFailed` with `BAD_SCORE`."""
    number = score.item() if isinstance(score, np.ndarray) and score.ndim == 0 else score
    if isinstance(number, (bool, np.bool_)) or not isinstance(number, numbers.Real):
        raise _bad_score(model_class, f"{type(score).__name__} {_shortened(score)}")
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise _bad_score(model_class, str(value))
    return value


def _bad_score(model_class: Type[BaseModel], came: str) -> TrialFailed:
    wrong = f"{place_of(model_class.evaluate)}`evaluate` returned {came}"
    return _failed(FailureCode.BAD_SCORE, f"{wrong}; return the score as one finite number, higher is better.")


def _dump(model: BaseModel) -> Params:
    params = model.dump_parameters()
    try:
        check_params(params)
    except InvalidParamsError as error:
        wrong = f"{place_of(model.dump_parameters)}`dump_parameters` returned what cannot be stored: {error.message}"
        raise _failed(FailureCode.BAD_PARAMETERS, f"{wrong}; {error.hint}.") from error
    return dict(params)  # a copy, for `destroy` may clear the template's own


def check_predictions(model_class: Type[BaseModel], predictions: Any, n_queries: int) -> List[Any]:
    """What `predict` returned, as plain JSON values, one per query. Raises `TrialFailed` with `BAD_PREDICTIONS`."""
    if not isinstance(predictions, (list, tuple, np.ndarray)) or (
        isinstance(predictions, np.ndarray) and predictions.ndim == 0
    ):
        raise bad_predictions(model_class, f"`predict` returned a {type(predictions).__name__}")
    if len(predictions) != n_queries:
        raise bad_predictions(model_class, f"`predict` returned {len(predictions)} predictions for {n_queries} queries")
    try:
        return [to_json_value(prediction) for prediction in predictions]
    except InvalidPredictionError as error:
        raise bad_predictions(model_class, f"`predict`: {error.message}") from error


def bad_predictions(model_class: Type[BaseModel], wrong: str) -> TrialFailed:
    """`wrong` as the failure of `predict`, with its place and what right looks like."""
    right = "return a list with one JSON-serialisable prediction per query, in their order"
    return _failed(FailureCode.BAD_PREDICTIONS, f"{place_of(model_class.predict)}{wrong}; {right}.")


def destroy(model: BaseModel) -> None:
    """Call the template's `destroy`; what it raises is logged and no more: the work is done."""
    try:
        model.destroy()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (a template may raise anything)
        _log.error("`destroy` failed. %s", format_user_traceback(error))


def _shortened(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 (the template's own __repr__)
        return ""
    return text if len(text) <= 100 else text[:100] + "..."


def _failed(code: str, message: str) -> TrialFailed:
    return TrialFailed(Failure(code, message))


__all__ = [
    "TRACEBACK_OF_FAILURE",
    "TrialFailed",
    "TrialOutcome",
    "bad_predictions",
    "check_predictions",
    "check_score",
    "destroy",
    "run_trial",
]
