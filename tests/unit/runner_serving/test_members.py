"""Which trials an inference job serves, and on what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rafiki.constants import TrialStatus
from rafiki.entities import Trial
from rafiki.runner.members import choose_trials, spread


def _trials(*model_ids: str) -> list[Trial]:
    """Saved trials of these models, by descending score."""
    now = datetime.now(UTC)
    return [
        Trial(
            str(no), "job", model_id, model_id, no, 1, None, "worker", TrialStatus.COMPLETED, {"knobs": {}},
            1.0 - no / 100, None, "hash", True, now, now,
        )
        for no, model_id in enumerate(model_ids)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("models", "max_members", "chosen"),
    [
        ("aabab", 4, [0, 2]),
        ("abcdef", 4, [0, 1, 2, 3]),
        ("abcdef", 2, [0, 1]),
        ("aaa", 4, [0, 1]),  # one model alone: its next best too
        ("aaa", 1, [0]),
        ("a", 4, [0]),
        ("", 4, []),
    ],
)
def test_the_best_of_each_model(models: str, max_members: int, chosen: list[int]) -> None:
    assert [trial.no for trial in choose_trials(_trials(*models), max_members)] == chosen


def test_gpus_go_round_the_best_members_first() -> None:
    assert spread([0, 1, 2], 2) == [(0, 2), (1,)]
    assert spread([5], 3) == [(5,), (), ()]
    assert spread([], 2) == [(), ()]
