"""The parameters of a local search, in params files as on the platform."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rafiki.advisor import ParamsType, Proposal
from rafiki.model import Params
from rafiki.model.params import load_params, save_params


@dataclass(frozen=True)
class Trained:
    """A trial that completed. `score` is None if it was not to be evaluated."""

    proposal: Proposal
    score: float | None
    path: Path

    def load(self) -> Params:
        return load_params(self.path)


class KeptParams:
    """Keeps the files that are still of use: of the best trial that was to be saved, and of the best and the most
    recent one that was to be cached for sharing. There is one worker: its own parameters are all there are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.best: Trained | None = None
        self._best_cached: Trained | None = None
        self._recent_cached: Trained | None = None

    def keep(self, proposal: Proposal, score: float | None, params: Params) -> None:
        trained = Trained(proposal, score, self._folder / f"{proposal.trial_no}.params")
        save_params(trained.path, params)
        if proposal.to_save_params:
            self.best = _better(self.best, trained)
        if proposal.to_cache_params:
            self._best_cached = _better(self._best_cached, trained)
            self._recent_cached = trained
        used = {kept.path for kept in (self.best, self._best_cached, self._recent_cached) if kept is not None}
        for path in set(self._folder.iterdir()) - used:
            path.unlink()

    def shared(self, params_type: ParamsType) -> Params | None:
        """The parameters that a proposal asks for; None while there are none."""
        if params_type is ParamsType.NONE:
            return None
        is_best = params_type in (ParamsType.LOCAL_BEST, ParamsType.GLOBAL_BEST)
        cached = self._best_cached if is_best else self._recent_cached
        return None if cached is None else cached.load()


def _better(kept: Trained | None, new: Trained) -> Trained | None:
    """The one with the higher score, the earlier of equals; one without a score is none."""
    if new.score is None:
        return kept
    return new if kept is None or kept.score is None or new.score > kept.score else kept
