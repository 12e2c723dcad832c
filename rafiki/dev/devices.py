"""Which GPUs a template sees, by the environment variables that a worker would set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLES = ("CUDA_VISIBLE_DEVICES", "CUDA_AVAILABLE_DEVICES")
#: Without it, TensorFlow takes a GPU's whole memory, and leaves none to the new process of the check of parameters.
_GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"


@contextmanager
def visible_gpus(n_gpus: int) -> Iterator[None]:
    """The first `n_gpus` of those that this process may use are visible; for 0, none is."""
    before = {name: os.environ.get(name) for name in (*_VARIABLES, _GROWTH)}
    usable = before["CUDA_VISIBLE_DEVICES"]
    indices = usable.split(",") if usable is not None else [str(i) for i in range(n_gpus)]
    os.environ.update(dict.fromkeys(_VARIABLES, ",".join(indices[:n_gpus]) or "-1"))
    os.environ.setdefault(_GROWTH, "true")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
