"""Where to look next: the logarithm of expected improvement, and the search for its maximum.

The logarithm, in a form that does not underflow (as in arXiv:2310.20708), keeps a slope where expected improvement
itself is zero to machine precision: far from the incumbent, and late in a search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import erfcx, log_ndtr

from rafiki.advisor.gp import Posterior
from rafiki.advisor.space import Array, Space

_HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))
_HALF_LOG_HALF_PI = 0.5 * float(np.log(0.5 * np.pi))

N_GLOBAL = 300
N_LOCAL = 40  # per incumbent
N_INCUMBENTS = 5
N_ASCENTS = 4
ASCENT_STEPS = 15
#: Finite spaces up to this size are looked at whole.
N_ENUMERABLE = 1500


@dataclass(frozen=True)
class LogExpectedImprovement:
    posterior: Posterior
    best: float  # the incumbent's target

    def __call__(self, points: Array) -> Array:
        mean, deviation = self.posterior.predict(points)
        return _log_improvement((mean - self.best) / deviation) + np.log(deviation)

    def with_gradient(self, point: Array) -> tuple[float, Array]:
        mean, deviation, by_mean, by_deviation = self.posterior.predict_gradient(point)
        z = (mean - self.best) / deviation
        value = float(_log_improvement(np.array([z]))[0])
        slope = float(np.exp(log_ndtr(z) - value))
        gradient = slope * (by_mean - z * by_deviation) / deviation + by_deviation / deviation
        return value + float(np.log(deviation)), gradient


def _log_improvement(z: Array) -> Array:
    """log(phi(z) + z Phi(z)) for any z."""
    result = np.empty_like(z)
    near = z > -1.0
    result[near] = np.log(np.exp(-0.5 * z[near] ** 2 - _HALF_LOG_2PI) + z[near] * np.exp(log_ndtr(z[near])))
    far = z < -1e5
    result[far] = -0.5 * z[far] ** 2 - _HALF_LOG_2PI - 2.0 * np.log(-z[far])
    middle = ~(near | far)
    y = -z[middle]
    ratio = np.log(erfcx(y / np.sqrt(2.0)) * y) + _HALF_LOG_HALF_PI
    result[middle] = -0.5 * y**2 - _HALF_LOG_2PI + np.log(-np.expm1(np.minimum(ratio, -1e-16)))
    return result


def search(
    acquisition: LogExpectedImprovement,
    space: Space,
    incumbents: Array,
    is_allowed: Callable[[Array], bool],
    rng: np.random.Generator,
) -> Array | None:
    """The allowed point with (nearly) the highest acquisition; None if no candidate is allowed.

    Candidates: the whole space where it is small; else points everywhere and around the incumbents (best first), the
    best of which then climb the gradient, at most two of them from each neighbourhood so that a second basin gets its
    chance.
    """
    if space.size is not None and space.size <= N_ENUMERABLE:
        return _best_allowed(space.rows, acquisition(space.rows), is_allowed)
    everywhere = space.sample(rng, N_GLOBAL)
    around = [_neighbours(space, incumbent, rng) for incumbent in incumbents[:N_INCUMBENTS]]
    candidates = np.concatenate([everywhere, *around])
    values = acquisition(candidates)
    pools = np.split(np.arange(len(candidates)), N_GLOBAL + N_LOCAL * np.arange(len(around)))
    heads = [pool[np.argsort(-values[pool], kind="stable")] for pool in pools]
    starts = np.concatenate([heads[0][:3], *(head[:1] for head in heads[1:])])
    starts = starts[np.argsort(-values[starts], kind="stable")][:N_ASCENTS]
    climbed = space.snap(np.array([_climb(acquisition, space, candidates[start]) for start in starts]))
    candidates, values = np.concatenate([climbed, candidates]), np.concatenate([acquisition(climbed), values])
    return _best_allowed(candidates, values, is_allowed)


def _neighbours(space: Space, point: Array, rng: np.random.Generator) -> Array:
    """Copies of a point with some of its knobs moved, from a little to a lot."""
    n_knobs = len(point)
    scale = 10.0 ** rng.uniform(-3.0, -0.5, size=(N_LOCAL, 1))
    is_moved = rng.random((N_LOCAL, n_knobs)) < max(0.3, 1.5 / n_knobs)
    is_moved[np.arange(N_LOCAL), rng.integers(n_knobs, size=N_LOCAL)] = True
    moved = np.clip(point + scale * rng.standard_normal((N_LOCAL, n_knobs)), 0.0, 1.0)
    moved = np.where(space.is_categorical, space.sample(rng, N_LOCAL), moved)
    return space.snap(np.where(is_moved, moved, point))


def _climb(acquisition: LogExpectedImprovement, space: Space, start: Array) -> Array:
    """Gradient ascent over the knobs that are not categorical, whole numbers taken as continuous."""
    free = ~space.is_categorical

    def negative(position: Array) -> tuple[float, Array]:
        point = start.copy()
        point[free] = position
        value, gradient = acquisition.with_gradient(point)
        return -value, -gradient[free]

    if not free.any():
        return start
    bounds = [(0.0, 1.0)] * int(free.sum())
    found = minimize(
        negative, start[free], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ASCENT_STEPS}
    )
    point = start.copy()
    point[free] = np.clip(found.x, 0.0, 1.0)
    return point


def _best_allowed(candidates: Array, values: Array, is_allowed: Callable[[Array], bool]) -> Array | None:
    for i in np.argsort(-values, kind="stable"):
        if is_allowed(candidates[i]):
            return np.asarray(candidates[i])
    return None
