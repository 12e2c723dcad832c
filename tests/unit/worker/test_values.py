"""Which predictions travel as one array, and which stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

from rafiki.worker.values import as_vectors


@pytest.mark.parametrize(
    "predictions",
    [
        [[0.1, 0.9], [0.4, 0.6]],
        [np.array([0.1, 0.9]), np.array([0.4, 0.6])],
        [[np.float64(0.1), 0.9], [0.4, np.float64(0.6)]],
        np.array([[0.1, 0.9], [0.4, 0.6]]),
    ],
)
def test_equal_vectors_of_floats_become_one_array(predictions: object) -> None:
    vectors = as_vectors(predictions)
    assert vectors is not None
    assert vectors.dtype == np.float64
    assert vectors.tolist() == [[0.1, 0.9], [0.4, 0.6]]


def test_float32_vectors_become_float64() -> None:
    vectors = as_vectors(np.ones((2, 3), np.float32))
    assert vectors is not None
    assert vectors.dtype == np.float64


@pytest.mark.parametrize(
    "predictions",
    [
        [],
        [[]],
        [[1, 2], [3, 4]],
        [[0.5, 1]],
        [[0.5, True]],
        [[0.5], [0.5, 0.5]],
        [[0.5], "b"],
        [[[0.5]]],
        [0.5, 0.5],
        ["ab", "cd"],
        [{"a": 0.5}],
        [np.array([1, 2])],
        [np.array([0.5]), [0.5]],
        np.array([0.5, 0.5]),
        np.zeros((2, 3), np.int64),
        np.zeros((0, 3)),
        [np.array(["a"], object)],
    ],
)
def test_all_else_stays_what_it_is(predictions: object) -> None:
    assert as_vectors(predictions) is None
