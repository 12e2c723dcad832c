"""Calls of a template's code outside of trials: whatever it raises becomes a `TrialFailed` that names its line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rafiki.model import BaseModel, Knobs, Params
from rafiki.worker.failures import TrialFailed, failure_of


@contextmanager
def blaming(model_class: type[BaseModel]) -> Iterator[None]:
    """Within, all that is raised is the template's doing."""
    try:
        yield
    except (TrialFailed, KeyboardInterrupt):
        raise
    except BaseException as error:  # a template may raise anything
        raise TrialFailed(failure_of(error, model_class)) from error


def load_trained(model_class: type[BaseModel], knobs: Knobs, params: Params) -> BaseModel:
    """An instance that is trained, from what was stored of another."""
    with blaming(model_class):
        model = model_class(**knobs)
        model.load_parameters(params)
    return model


def teardown(model_class: type[BaseModel]) -> None:
    """Call the template's `teardown`; what it raises is printed and no more: the work is done."""
    try:
        with blaming(model_class):
            model_class.teardown()
    except TrialFailed as error:
        print(f"`teardown` failed: {error.failure.message}", file=sys.stderr)
