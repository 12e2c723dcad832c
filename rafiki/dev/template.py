"""Calls of a template's code outside of trials, and how its author is told what went wrong in it."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, ParamSpec, TypeVar

import rafiki
from rafiki.entities import Failure, FailureCode
from rafiki.errors import InvalidModelClassError, InvalidPredictionError
from rafiki.model import BaseModel, Knobs, Params
from rafiki.model.places import MODULE_PREFIX, place_of
from rafiki.tasks import Task
from rafiki.worker.failures import LOG_HINT, TrialFailed, failure_of, import_failure_of
from rafiki.worker.trial import check_predictions

_P = ParamSpec("_P")
_T = TypeVar("_T")
_PACKAGE = str(Path(rafiki.__file__).parent)


@contextmanager
def blaming(model_class: type[BaseModel]) -> Iterator[None]:
    """Within, all that is raised is the template's doing, and becomes `TrialFailed`."""
    try:
        yield
    except (TrialFailed, KeyboardInterrupt):
        raise
    except BaseException as error:  # a template may raise anything
        raise TrialFailed(failure_of(error, model_class)) from error


def told_to_the_author(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """What a template does wrong in `function` becomes the one error that its author gets: the sentence, and as its
    cause what the template raised, with a traceback that begins in the template."""

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        _refuse_at_import(function.__name__)
        try:
            with _ends_told():
                return function(*args, **kwargs)
        except TrialFailed as error:
            failure, cause = error.failure, error.__cause__
        except InvalidModelClassError as error:
            failure, cause = import_failure_of(error), error.__cause__
        raise InvalidModelClassError(sentence(failure), code=failure.code) from _in_template(cause)

    return wrapper


@contextmanager
def _ends_told() -> Iterator[None]:
    """Within, a template that ends its process by `os._exit` is told of it, as of any `SystemExit`; else it would end
    its author's test without a word. What it forks may end as it likes."""
    pid, end = os.getpid(), os._exit

    def refuse(status: int) -> NoReturn:
        if os.getpid() != pid or not is_within:
            end(status)
        raise SystemExit(status)

    is_within = True
    os._exit = refuse
    try:
        yield
    finally:
        os._exit, is_within = end, False


def _refuse_at_import(name: str) -> None:
    """A template that tests itself whenever it is imported would do so in the test, and in each of its processes."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and str(frame.f_globals.get("__name__")).startswith(MODULE_PREFIX):
            right = 'put the call under `if __name__ == "__main__":`'
            raise InvalidModelClassError(f"`{name}` is called as the file is imported; {right}")
        frame = frame.f_back


def sentence(failure: Failure) -> str:
    """The failure as its author reads it: on a laptop there is no trial's log to look into."""
    if not failure.hint or failure.hint == LOG_HINT:
        return failure.message
    return f"{failure.message}{'' if failure.message.endswith(('.', '!', '?')) else '.'} {failure.hint}"


def _in_template(error: BaseException | None) -> BaseException | None:
    """The error with its traceback from the template's first frame on; None for one that a check of ours raised."""
    if error is None or isinstance(error, SyntaxError):  # which shows the line by itself
        return error and error.with_traceback(None)
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return None if trace is None else error.with_traceback(trace)


def load_trained(model_class: type[BaseModel], knobs: Knobs, params: Params) -> BaseModel:
    """An instance that is trained, from what was stored of another."""
    with blaming(model_class):
        model = model_class(**knobs)
        model.load_parameters(params)
    return model


def predict(model: BaseModel, task: Task, queries: Sequence[Any]) -> list[Any]:
    """The predictions for decoded queries, each as the task says and as JSON can carry it."""
    with blaming(type(model)):
        answers = model.predict(list(queries))
    return checked(type(model), task, queries, answers)


def checked(model_class: type[BaseModel], task: Task, queries: Sequence[Any], answers: Any) -> list[Any]:
    """What `predict` answered, as `predict` above returns it."""
    predictions = []
    for i, answer in enumerate(check_predictions(model_class, answers, len(queries))):
        try:
            prediction = task.check_prediction(queries[i], answer)
            predictions.append(json.loads(json.dumps(prediction, allow_nan=False)))  # whose keys are texts, as served
        except InvalidPredictionError as error:
            wrong = f"what the task {task.name} cannot serve: {error}"
            raise _bad_prediction(model_class, i, wrong) from error
        except ValueError as error:
            raise _bad_prediction(model_class, i, "NaN or infinity; JSON has no form for them") from error
        except (TypeError, RecursionError) as error:
            right = "answer with lists, dicts of text keys, numbers, text, booleans and None"
            raise _bad_prediction(model_class, i, f"what JSON cannot carry: {error}; {right}") from error
    return predictions


def _bad_prediction(model_class: type[BaseModel], i: int, wrong: str) -> TrialFailed:
    message = f"{place_of(model_class.predict)}`predict` answers query {i} with {wrong}."
    return TrialFailed(Failure(FailureCode.BAD_PREDICTIONS, message))


def teardown(model_class: type[BaseModel]) -> None:
    """Call the template's `teardown`; what it raises is printed and no more: the work is done."""
    try:
        with blaming(model_class):
            model_class.teardown()
    except TrialFailed as error:
        print(f"`teardown` failed: {error.failure.message}", file=sys.stderr)
