"""Budgets: defaults, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from rafiki.errors import InsufficientResourcesError, InvalidRequestError, InvalidTrainJobError
from rafiki.server.budget import check_inference_budget, check_train_budget


def test_defaults_are_filled_in_and_all_else_is_kept() -> None:
    assert check_train_budget(None, 0) == {"TIME_HOURS": 0.1, "GPU_COUNT": 0}
    given = {"TIME_HOURS": 2, "GPU_COUNT": 1, "MODEL_TRIAL_COUNT": -1, "HARD_LIMIT": True, "WORKER_COUNT": 3}
    assert check_train_budget(given, 1) == given
    assert check_inference_budget({}, 0) == {"GPU_COUNT": 0}
    assert check_inference_budget({"MAX_MEMBERS": 1, "ENSEMBLE": "mean"}, 0)["MAX_MEMBERS"] == 1


def test_whole_floats_are_counts() -> None:
    assert type(check_train_budget({"MODEL_TRIAL_COUNT": 5.0}, 0)["MODEL_TRIAL_COUNT"]) is int


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("TIME_HOURS", value) for value in (0, -1, float("nan"), float("inf"), 1e300, "1", True, None, [])),
        *(("MODEL_TRIAL_COUNT", value) for value in (0, -2, 1.5, "3", True, None, 10**30)),
        *(("GPU_COUNT", value) for value in (-1, 0.5, "0", False)),
        *(("WORKER_COUNT", value) for value in (0, -1, 1.5)),
        *(("HARD_LIMIT", value) for value in (0, 1, "true")),
        *(("ADVISOR", value) for value in ("", "NoAdvisor", 1, [], {})),
        ("TIME_HOUR", 1),
        ("MAX_MEMBERS", 1),
    ],
)
def test_what_a_train_budget_cannot_be(key: str, value: Any) -> None:
    with pytest.raises(InvalidTrainJobError, match=key):
        check_train_budget({key: value}, 8)


@pytest.mark.parametrize(
    ("key", "value"), [("MAX_MEMBERS", 0), ("ENSEMBLE", "vote"), ("ENSEMBLE", []), ("TIME_HOURS", 1), ("GPU_COUNT", -1)]
)
def test_what_an_inference_budget_cannot_be(key: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=key):
        check_inference_budget({key: value}, 8)


@pytest.mark.parametrize("budget", ["", "text", [], 1])
def test_a_budget_is_an_object(budget: Any) -> None:
    with pytest.raises(InvalidTrainJobError):
        check_train_budget(budget, 0)


def test_more_gpus_than_there_are() -> None:
    with pytest.raises(InsufficientResourcesError, match=r"GPU_COUNT.* 3, and there are 2 GPUs") as refused:
        check_train_budget({"GPU_COUNT": 3}, 2)
    assert "at most 2" in refused.value.hint
    with pytest.raises(InsufficientResourcesError, match=r"GPU_COUNT.* 2, and there is 1 GPU$"):
        check_inference_budget({"GPU_COUNT": 2}, 1)
    with pytest.raises(InsufficientResourcesError, match=r"GPU_COUNT.* 1, and there are 0 GPUs") as refused:
        check_inference_budget({"GPU_COUNT": 1}, 0)
    assert refused.value.hint.startswith("leave it out")
