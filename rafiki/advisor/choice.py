"""Which advisor searches a knob config within a budget."""

from __future__ import annotations

from collections.abc import Callable

from rafiki.advisor.base import BaseAdvisor
from rafiki.advisor.bayes import BayesOptAdvisor
from rafiki.advisor.bayes_sharing import BayesOptWithParamSharingAdvisor
from rafiki.advisor.fixed import FixedAdvisor
from rafiki.advisor.random import RandomAdvisor
from rafiki.constants import Budget, BudgetOption
from rafiki.model import KnobConfig

#: In the order in which they are considered: the first that fits is taken.
ADVISORS: tuple[type[BaseAdvisor], ...] = (
    FixedAdvisor,
    BayesOptWithParamSharingAdvisor,
    BayesOptAdvisor,
    RandomAdvisor,
)


def make_advisor(
    knob_config: KnobConfig,
    budget: Budget | None = None,
    seed: int = 0,
    time_progress: Callable[[], float] | None = None,
) -> BaseAdvisor:
    """The advisor for a model's knob config and a train job's budget.

    `seed` stands for the job and the model. `time_progress` gives the share of `TIME_HOURS` that is used, from 0 to 1;
    without it only the number of trials bounds a search. The budget's `ADVISOR` names an advisor by its class instead:
    ValueError if there is none of that name, or if it cannot search the knob config.

    Knob configs for architecture search (`ArchKnob`) are searched at random, whatever their policies and time.
    """
    budget = budget or {}
    name = budget.get(BudgetOption.ADVISOR)
    named = {advisor.__name__: advisor for advisor in ADVISORS}
    if name is None:
        chosen = next(advisor for advisor in ADVISORS if advisor.why_unfit(knob_config) is None)
    elif name in named:
        chosen = named[name]
    else:
        raise ValueError(f"there is no advisor {name!r}; the advisors are: {', '.join(named)}")
    return chosen(knob_config, budget, seed, time_progress)
