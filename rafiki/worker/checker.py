"""The checker: the program that reads users' dataset files, which nobody else of ours decodes.

`python -m rafiki.worker.checker JSON`, with the fields of `Order`, does one thing and ends. It prints one JSON object:
`{"result": ...}`, or `{"refusal": {"message", "hint"}}` where the dataset is not what its task says.

| action | arguments | result |
| --- | --- | --- |
| `structure` | | `{}`: what can be seen at once is as the task says |
| `whole` | | `{"stats", "warnings"}`: every item was decoded |
| `preview` | `limit` | items `{"query", "label"}`, as JSON that a page can show |
| `split` | `out_paths`, `fractions`, `seed`, `train_args` | the numbers of items in the parts |
| `sample` | `others`, `train_args`, `seed`, `max_items`, `max_bytes`, `out_path` | labels of a random sample of items, in random order; their queries are in the file, as the body of a `Predict` frame |
"""  # noqa: E501 (a table)

from __future__ import annotations

import json
import logging
import math
import os
import random
import resource
import sys
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from rafiki.errors import InvalidDatasetFormatException, RafikiError
from rafiki.tasks import Task, get_task
from rafiki.tasks.base import TrainArgs, to_json_value
from rafiki.worker.frames import Predict, encode
from rafiki.worker.keeper import die_with_parent

_MAX_OPEN_FILES = 64
_MAX_WARNINGS = 20
#: Somebody looks at an empty page until these are done; all else gives way to trials and predictions.
_WAITED_FOR = ("structure", "preview")
_NICE = 10


@dataclass(frozen=True)
class Order:
    """What is to be done, and within what: of memory, processor time, and per file written."""

    parent_pid: Optional[int]  # None where it dies with something else
    memory_bytes: int
    cpu_s: int
    file_bytes: int
    action: str
    task: str
    path: str
    arguments: Dict[str, Any] = field(default_factory=dict)


def main(order_json: str) -> int:
    order = Order(**json.loads(order_json))
    if order.parent_pid is not None:
        die_with_parent(order.parent_pid)
    _limit_resources(order)
    if order.action not in _WAITED_FOR:
        os.nice(_NICE)
    try:
        answer = {"result": ACTIONS[order.action](get_task(order.task), order.path, **order.arguments)}
    except RafikiError as error:
        answer = {"refusal": {"message": error.message, "hint": error.hint}}
    except MemoryError:
        message = f"reading the dataset takes more than the {order.memory_bytes} bytes of memory that it may"
        answer = {"refusal": {"message": message, "hint": "Make it smaller, or its items."}}
    print(json.dumps(_plain(answer)))
    return 0


def _limit_resources(order: Order) -> None:
    for which, limit in (
        (resource.RLIMIT_AS, order.memory_bytes),
        (resource.RLIMIT_CPU, order.cpu_s),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
        (resource.RLIMIT_FSIZE, order.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (limit, limit))


# What can be asked ----------------------------------------------------------------------------------------------------


def _check_structure(task: Task, path: str) -> Dict[str, Any]:
    task.check_structure(path)
    return {}


def _check_whole(task: Task, path: str) -> Dict[str, Any]:
    warnings = _Warnings()
    logging.getLogger("rafiki").addHandler(warnings)
    task.check_dataset(path)
    return {"stats": task.stats(path), "warnings": warnings.texts}


def _preview(task: Task, path: str, limit: int) -> List[Dict[str, Any]]:
    return task.preview(path, limit)


def _split(
    task: Task, path: str, out_paths: Sequence[str], fractions: Sequence[float], seed: int, train_args: TrainArgs
) -> List[int]:
    return task.split(path, out_paths, fractions, seed, train_args)


def _sample(
    task: Task,
    path: str,
    others: Sequence[str],
    train_args: TrainArgs,
    seed: int,
    max_items: int,
    max_bytes: int,
    out_path: str,
) -> List[Any]:
    chosen = _choose(task.iterate(path, train_args, others), random.Random(seed), max_items, max_bytes)
    if not chosen:
        raise InvalidDatasetFormatException("the dataset has no items that can be scored")
    with open(out_path, "wb") as file:
        file.write(encode(Predict([query for query, _ in chosen]), 0))
    return [label for _, label in chosen]


def _choose(items: Any, chance: random.Random, max_items: int, max_bytes: int) -> List[Tuple[Any, Any]]:
    """A sample in which every item is as likely as any other, in random order; as many as `max_bytes` can hold."""
    chosen: List[Tuple[Any, Any]] = []
    for n_seen, item in enumerate(items, start=1):
        if len(chosen) < max_items:
            chosen.append(item)
        else:
            at = chance.randrange(n_seen)
            if at < max_items:
                chosen[at] = item
        # Items are of about one size: as many as fit now are as many as will fit.
        while len(chosen) > 1 and _size(chosen[-1][0]) * len(chosen) > max_bytes:
            chosen.pop(chance.randrange(len(chosen)))
            max_items = len(chosen)
    chance.shuffle(chosen)
    return chosen


def _size(query: Any) -> int:
    return int(query.nbytes) if isinstance(query, np.ndarray) else len(json.dumps(to_json_value(query)))


ACTIONS: Dict[str, Callable[..., Any]] = {
    "structure": _check_structure,
    "whole": _check_whole,
    "preview": _preview,
    "split": _split,
    "sample": _sample,
}


class _Warnings(logging.Handler):
    """What is odd but usable, as tasks say it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self.texts and len(self.texts) < _MAX_WARNINGS:
            self.texts.append(text)


def _plain(value: Any) -> Any:
    """Plain JSON: a number that is none of JSON's is null, half a character is a question mark."""
    value = to_json_value(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
