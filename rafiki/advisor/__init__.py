"""Advisors: what to try next, given what was tried."""

from rafiki.advisor.base import BaseAdvisor, ParamsType, Proposal, TrialResult
from rafiki.advisor.bayes import BayesOptAdvisor
from rafiki.advisor.bayes_sharing import BayesOptWithParamSharingAdvisor
from rafiki.advisor.choice import ADVISORS, make_advisor
from rafiki.advisor.fixed import FixedAdvisor
from rafiki.advisor.random import RandomAdvisor

__all__ = [
    "ADVISORS",
    "BaseAdvisor",
    "BayesOptAdvisor",
    "BayesOptWithParamSharingAdvisor",
    "FixedAdvisor",
    "ParamsType",
    "Proposal",
    "RandomAdvisor",
    "TrialResult",
    "make_advisor",
]
