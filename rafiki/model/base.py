"""What a model template is: one class in one file that extends `BaseModel`."""

from __future__ import annotations

import abc
from typing import Any, Dict, List, Optional

from rafiki.model.knob import KnobConfig
from rafiki.model.params import Params

Knobs = Dict[str, Any]
"""One concrete value per knob of a knob config."""


class BaseModel(abc.ABC):
    """A model template: what it can vary, and how to train, score, keep and use it.

    Rafiki makes one instance per trial with one value per knob, calls `train`, `evaluate` and `dump_parameters` in
    this order, and `destroy` last. To serve, it makes an instance with the same knobs and calls `load_parameters`
    and then `predict`, many times. All of this happens in a process of the template's own, in one thread.
    """

    def __init__(self, **knobs: Any) -> None:  # noqa: B027 (a template need not call it)
        """Receives one concrete value per knob of `get_knob_config`."""

    @staticmethod
    @abc.abstractmethod
    def get_knob_config() -> KnobConfig:
        """The search space: a knob by name. Empty where there is nothing to search."""

    @abc.abstractmethod
    def train(self, dataset_path: str, shared_params: Optional[Params] = None, **train_args: Any) -> None:
        """Trains on the dataset, a local file.

        `shared_params` are parameters that an earlier trial of this template dumped, or None; `train_args` come
        from the train job. A template declares what it uses: from `(dataset_path, **kwargs)` to
        `(dataset_path, shared_params=None)`.
        """

    @abc.abstractmethod
    def evaluate(self, dataset_path: str) -> float:
        """The score of the trained model on the dataset, a local file. Higher is better; NaN is an error."""

    @abc.abstractmethod
    def predict(self, queries: List[Any]) -> List[Any]:
        """One JSON-serialisable prediction per query, in the queries' order."""

    @abc.abstractmethod
    def dump_parameters(self) -> Params:
        """Everything that defines the trained state, so that `load_parameters` can bring it back elsewhere."""

    @abc.abstractmethod
    def load_parameters(self, params: Params) -> None:
        """Makes this instance the trained one that dumped `params`; its knobs are those of training."""

    def destroy(self) -> None:  # noqa: B027 (optional)
        """Frees what the instance holds. Nothing is called on it afterwards."""

    @staticmethod  # noqa: B027 (optional)
    def teardown() -> None:
        """Frees what the class holds, after the last trial of its process."""
