"""The predictor: an ensemble of members, each in a worker process of its own, behind one HTTP address."""

from rafiki.predictor.app import PredictorApp
from rafiki.predictor.ensemble import Ensemble
from rafiki.predictor.http import PredictorServer, listen
from rafiki.predictor.member import Member, MemberPlan
from rafiki.predictor.policy import ServingPolicy
from rafiki.predictor.request import Answer

__all__ = [
    "Answer",
    "Ensemble",
    "Member",
    "MemberPlan",
    "PredictorApp",
    "PredictorServer",
    "ServingPolicy",
    "listen",
]
