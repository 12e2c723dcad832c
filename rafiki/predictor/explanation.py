"""What `?explain=1` adds to an answer: who said what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rafiki.predictor.member import Member
from rafiki.predictor.request import Request
from rafiki.tasks import to_json_value


def explain(request: Request, members: Sequence[Member], labels: Sequence[str] | None, took_s: float) -> dict[str, Any]:
    """The members with their own predictions, in the queries' order, or why they gave none; names of the classes."""
    return {
        "took_s": took_s,
        "labels": None if labels is None else list(labels),
        "members": [_explain_member(request, member) for member in members],
    }


def _explain_member(request: Request, member: Member) -> dict[str, Any]:
    votes = request.votes.get(member.index)
    failure = request.failures.get(member.index)
    return {
        "model": member.name,
        "trial_id": member.plan.trial_id,
        "state": member.state.value,
        "predictions": None if votes is None else [to_json_value(vote) for vote in votes],
        "failure": None if failure is None else failure.to_json(),
    }
