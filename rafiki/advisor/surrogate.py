"""The model of a search: the Gaussian process of the trials so far, and the point that it finds most promising."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from rafiki.advisor.acquisition import LogExpectedImprovement, search
from rafiki.advisor.gp import Posterior, fit_theta, initial_theta, warp
from rafiki.advisor.space import Array, Space

#: Beyond so many trials only the best and the most recent ones are modelled, half and half: the cost of a proposal
#: grows with their cube.
N_MODELLED = 200


# The matrices are so small that threads only get in each other's way: where other processes keep the cores busy, by a
# factor of ten. One thread also gives the same rounding, so the same proposal, whatever the number of cores.
_blas = ThreadpoolController()


class Surrogate:
    """Proposes rows of a space; what it gives depends on its arguments only.

    Fitting hyperparameters starts from those of fewer trials, which makes it cheap. So that this does not depend on
    when trials happened to finish, the chain of fits is one over the trials in the order given, at set numbers of
    trials; links are kept as long as the trials up to them are the same.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._links: list[tuple[Hashable, Array]] = []

    def most_promising(
        self,
        rows: Array,
        scores: Array,
        outstanding: Array,
        is_allowed: Callable[[Array], bool],
        rng: np.random.Generator,
    ) -> Array | None:
        """The allowed row with the highest expected improvement, or None if none was found.

        `rows` and `scores` (NaN for failed trials) are in order of trial number, with some scores that are not NaN;
        `outstanding` are rows whose scores are not known yet.
        """
        # To the search a failure is as bad as the worst that it has seen: likely to fail again around there.
        scores = np.where(np.isnan(scores), np.nanmin(scores), scores)
        with _blas.limit(limits=1, user_api="blas"):
            acquisition, incumbents = self._acquisition(rows, scores, outstanding)
            return search(acquisition, self._space, incumbents, is_allowed, rng)

    def _acquisition(self, rows: Array, scores: Array, outstanding: Array) -> tuple[LogExpectedImprovement, Array]:
        """What to maximise, and the modelled rows, best first."""
        theta = self._hyperparameters(rows, scores)
        kept = _modelled(scores)
        posterior = Posterior.of(theta, rows[kept], warp(scores[kept]), self._space.is_categorical)
        expected, _ = posterior.predict(posterior.points)
        incumbents = posterior.points[np.argsort(-expected, kind="stable")]
        if len(outstanding):
            posterior = posterior.with_fantasies(outstanding)
        return LogExpectedImprovement(posterior, float(expected.max())), incumbents

    def _hyperparameters(self, rows: Array, scores: Array) -> Array:
        theta = initial_theta(self._space.n_knobs)
        for i, n in enumerate(_fit_sizes(len(scores))):
            key = (rows[:n].tobytes(), scores[:n].tobytes())
            if i < len(self._links) and self._links[i][0] == key:
                theta = self._links[i][1]
                continue
            del self._links[i:]
            kept = _modelled(scores[:n])
            starts = [theta] if n > 60 else [theta, initial_theta(self._space.n_knobs)]
            theta = fit_theta(rows[kept], warp(scores[kept]), self._space.is_categorical, starts, 30 if n <= 60 else 10)
            self._links.append((key, theta))
        return theta


def _fit_sizes(n: int) -> list[int]:
    """The numbers of trials, up to `n`, at which hyperparameters are fitted anew."""
    sizes = [*range(3, 16), *range(16, 40, 2), *range(40, 100, 4), *range(100, 200, 10), *range(200, n + 1, 20)]
    return [size for size in sizes if size <= n]


def _modelled(scores: Array) -> npt.NDArray[np.intp]:
    """The indices of the trials to model."""
    n = len(scores)
    if n <= N_MODELLED:
        return np.arange(n)
    recent = np.arange(n - N_MODELLED // 2, n)
    earlier = np.argsort(-scores[: n - len(recent)], kind="stable")[: N_MODELLED - len(recent)]
    return np.concatenate([np.sort(earlier), recent])
