"""The knobs that a search moves, as rows of numbers.

A row has one number per tunable knob, in the knob config's order: a position in [0, 1] for floats and integers (of the
logarithm where the knob is exponential), the index of a value for categorical ones. A *snapped* row is one that some
choice of knobs stands for exactly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rafiki.model import BaseKnob, CategoricalKnob, FloatKnob, IntegerKnob, KnobConfig, Knobs

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class NumberAxis:
    """A float or integer knob. Each integer owns the stretch of the axis that rounds to it: uniform positions are
    uniform integers."""

    def __init__(self, knob: FloatKnob | IntegerKnob) -> None:
        self._is_integer = isinstance(knob, IntegerKnob)
        self._low, self._high = knob.value_min, knob.value_max
        self._is_exp = knob.is_exp and self._high > 0
        low, high = float(self._low), float(self._high)
        if self._is_integer:
            low, high = low - 0.5, high + 0.5
        if self._is_exp:
            # An exponential knob may start at 0: it is searched from a tiny positive number.
            low = max(low, 0.25 if self._is_integer else high * 1e-9)
        self._start, self._end = (math.log(low), math.log(high)) if self._is_exp else (low, high)
        if self._is_integer:
            self.n_values: int | None = int(self._high) - int(self._low) + 1
        else:
            self.n_values = None if self._low < self._high else 1

    def _numbers(self, positions: Array) -> Array:
        scaled = self._start * (1.0 - positions) + self._end * positions
        numbers = np.exp(scaled) if self._is_exp else scaled
        return np.clip(np.rint(numbers) if self._is_integer else numbers, float(self._low), float(self._high))

    def _positions(self, numbers: Array) -> Array:
        if self._start >= self._end:
            return np.zeros_like(numbers)
        lowest = 0.35 if self._is_integer else math.exp(self._start) if self._is_exp else 0.0
        scaled = np.log(np.maximum(numbers, lowest)) if self._is_exp else numbers
        # Halves, so that a range as wide as all floats does not overflow.
        positions = (scaled / 2 - self._start / 2) / (self._end / 2 - self._start / 2)
        return np.asarray(np.clip(positions, 0.0, 1.0))

    def snap(self, column: Array) -> Array:
        column = np.clip(column, 0.0, 1.0)
        return column if self.n_values is None else self._positions(self._numbers(column))

    def from_uniform(self, column: Array) -> Array:
        return self.snap(column)

    def column(self, indices: npt.NDArray[np.int64]) -> Array:
        return self._positions(float(self._low) + indices.astype(np.float64))

    def to_value(self, position: float) -> Any:
        number = float(self._numbers(np.array([position]))[0])
        # Once more between the bounds: as integers they may be beyond what a float holds exactly.
        return min(max(int(number), int(self._low)), int(self._high)) if self._is_integer else number

    def to_positions(self, values: Sequence[Any]) -> Array:
        return self._positions(np.array([float(value) for value in values]))


class CategoricalAxis:
    """A categorical knob: positions are indices of its values."""

    def __init__(self, knob: CategoricalKnob) -> None:
        self._values = list(dict.fromkeys(each.value for each in knob.values))
        self.n_values: int | None = len(self._values)

    def snap(self, column: Array) -> Array:
        return np.clip(np.rint(column), 0, len(self._values) - 1)

    def from_uniform(self, column: Array) -> Array:
        return np.minimum(np.floor(column * len(self._values)), len(self._values) - 1)

    def column(self, indices: npt.NDArray[np.int64]) -> Array:
        return indices.astype(np.float64)

    def to_value(self, position: float) -> Any:
        return self._values[int(position)]

    def to_positions(self, values: Sequence[Any]) -> Array:
        return np.array([self._values.index(value) for value in values], dtype=np.float64)


def _axis(knob: BaseKnob) -> NumberAxis | CategoricalAxis | None:
    if isinstance(knob, (FloatKnob, IntegerKnob)):
        return NumberAxis(knob)
    return CategoricalAxis(knob) if isinstance(knob, CategoricalKnob) else None


class Space:
    """The float, integer and categorical knobs of a knob config; its other knobs are none of the space's business."""

    def __init__(self, knob_config: KnobConfig) -> None:
        axes = {name: _axis(knob) for name, knob in knob_config.items()}
        self._axes = {name: axis for name, axis in axes.items() if axis is not None}
        self.n_knobs = len(self._axes)
        self.is_categorical: BoolArray = np.array([isinstance(a, CategoricalAxis) for a in self._axes.values()], bool)

    @cached_property
    def size(self) -> int | None:
        """How many choices of knobs there are; None if infinitely many."""
        size = 1
        for axis in self._axes.values():
            if axis.n_values is None:
                return None
            size *= axis.n_values
        return size

    def from_uniform(self, rows: Array) -> Array:
        """Snapped rows, distributed as the knobs are meant to be where `rows` is uniform in [0, 1)."""
        return self._columns([axis.from_uniform(rows[:, i]) for i, axis in enumerate(self._axes.values())], len(rows))

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        return self.from_uniform(rng.random((n, self.n_knobs)))

    def snap(self, rows: Array) -> Array:
        """The nearest rows that stand for knobs."""
        return self._columns([axis.snap(rows[:, i]) for i, axis in enumerate(self._axes.values())], len(rows))

    @staticmethod
    def _columns(columns: list[Array], n_rows: int) -> Array:
        return np.stack(columns, axis=1) if columns else np.zeros((n_rows, 0))

    @cached_property
    def rows(self) -> Array:
        """All rows of a finite space, in the order of `row_at`: for small ones."""
        if self.size is None:
            raise ValueError("a space with a float knob cannot be listed")
        shape = [axis.n_values or 1 for axis in self._axes.values()]
        indices = np.unravel_index(np.arange(self.size), shape)
        return self._columns([axis.column(i) for axis, i in zip(self._axes.values(), indices, strict=True)], self.size)

    def unseen(self, rng: np.random.Generator, seen: Collection[Hashable]) -> Array | None:
        """A random row that is not in `seen` (keys); None if there is none."""
        if self.size is None:
            return np.asarray(self.sample(rng, 1)[0])
        start = int(rng.random() * self.size)
        for step in range(min(len(seen) + 1, self.size)):
            row = self._row_at((start + step) % self.size)
            if self.key(self.to_knobs(row)) not in seen:
                return row
        return None

    def _row_at(self, index: int) -> Array:
        row = []
        for axis in reversed(self._axes.values()):
            index, digit = divmod(index, axis.n_values or 1)
            row.append(float(axis.column(np.array([digit]))[0]))
        return np.array(row[::-1])

    def key(self, knobs: Knobs) -> Hashable:
        """Equal for the same choice of this space's knobs, whatever the others are."""
        return tuple(knobs[name] for name in self._axes)

    def to_knobs(self, row: Array) -> Knobs:
        """Values of plain Python types, within their knobs' bounds."""
        return {name: axis.to_value(p) for (name, axis), p in zip(self._axes.items(), row.tolist(), strict=True)}

    def to_rows(self, choices: Sequence[Knobs]) -> Array:
        """One row for each choice of knobs."""
        columns = [axis.to_positions([knobs[name] for knobs in choices]) for name, axis in self._axes.items()]
        return self._columns(columns, len(choices))
