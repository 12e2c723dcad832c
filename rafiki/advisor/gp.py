"""A Gaussian process for 3 to a few hundred trials of up to a few dozen knobs, on NumPy and SciPy alone.

Points are rows of one number per knob: a position in [0, 1], or for a categorical knob the index of its value. The
kernel is Matern-5/2 with a length scale per knob; two different values of a categorical knob are one unit apart, which
is what one-hot columns would give. Targets are expected to be standardised (`warp`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from rafiki.advisor.space import Array, BoolArray

_SQRT5 = 5.0**0.5
# Priors on the logarithms, as (mean, standard deviation): length scales grow with the number of knobs, as distances do;
# scores are taken to be nearly free of noise unless they say otherwise.
_LENGTH_PRIOR_STD = 1.2
_SIGNAL_PRIOR = (0.0, 1.0)
_NOISE_PRIOR = (-9.0, 3.0)
_LENGTH_BOUNDS = (-4.0, 4.5)
_SIGNAL_BOUNDS = (-4.0, 5.0)
_NOISE_BOUNDS = (-16.0, 0.5)


def warp(scores: Array) -> Array:
    """Scores (higher is better) as targets of mean 0 and deviation 1, whose bad tail is pulled in.

    What matters is where the good scores are: a few disasters (a diverged training) would otherwise flatten all
    differences among them. Only scores more than a typical spread below the median are moved, by a logarithm.
    """
    scores = scores / max(float(np.abs(scores).max()), 1e-300)  # so that squares do not overflow
    median = np.median(scores)
    above = scores[scores >= median] - median
    spread = float(np.mean(above)) if above.size else 0.0
    if not np.isfinite(spread) or spread <= 0.0:
        spread = float(np.std(scores - median)) or 1.0
    relative = (scores - median) / spread
    relative = np.where(relative < -1.0, -1.0 - np.log(np.maximum(-relative, 1.0)), relative)
    deviation = float(np.std(relative))
    return np.asarray((relative - relative.mean()) / (deviation if deviation > 1e-12 else 1.0))


def squared_differences(a: Array, b: Array, is_categorical: BoolArray) -> Array:
    """One matrix of squared differences per knob: shape (knobs, len(a), len(b))."""
    difference = a.T[:, :, None] - b.T[:, None, :]
    squared = difference * difference
    squared[is_categorical] = difference[is_categorical] != 0.0
    return squared


def _scaled_distances(a: Array, b: Array, is_categorical: BoolArray, log_lengths: Array) -> Array:
    """Squared distances in units of the length scales, shape (len(a), len(b)), as fast as a matrix product."""
    weights = np.exp(-2.0 * log_lengths)
    is_number = ~is_categorical
    scale = np.sqrt(weights[is_number])
    left, right = a[:, is_number] * scale, b[:, is_number] * scale
    scaled = (left * left).sum(axis=1)[:, None] + (right * right).sum(axis=1) - 2.0 * (left @ right.T)
    np.maximum(scaled, 0.0, out=scaled)  # rounding may leave a distance below zero
    for knob in np.flatnonzero(is_categorical):
        scaled += weights[knob] * (a[:, knob, None] != b[None, :, knob])
    return np.asarray(scaled)


def _matern(scaled: Array) -> tuple[Array, Array]:
    """The Matern-5/2 correlation at squared distances, and its derivative by them."""
    root = _SQRT5 * np.sqrt(scaled)
    decay = np.exp(-root)
    slope = (1.0 + root) * decay
    return slope + (5.0 / 3.0) * scaled * decay, (-5.0 / 6.0) * slope


def initial_theta(n_knobs: int) -> Array:
    """The mode of the priors: log length scales, then log signal variance, then log noise variance."""
    return np.concatenate([np.full(n_knobs, _length_prior_mean(n_knobs)), [_SIGNAL_PRIOR[0], _NOISE_PRIOR[0]]])


def _length_prior_mean(n_knobs: int) -> float:
    return -1.2 + 0.5 * float(np.log(n_knobs))


def fit_theta(points: Array, targets: Array, is_categorical: BoolArray, starts: list[Array], max_steps: int) -> Array:
    """The most probable hyperparameters given the data, searched from each of `starts`."""
    squared = squared_differences(points, points, is_categorical)
    n_knobs = points.shape[1]
    bounds = [_LENGTH_BOUNDS] * n_knobs + [_SIGNAL_BOUNDS, _NOISE_BOUNDS]
    best, best_value = starts[0], np.inf
    for start in starts:
        found = minimize(
            _negative_log_posterior, start, args=(squared, targets), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": max_steps},
        )  # fmt: skip
        if np.isfinite(found.fun) and found.fun < best_value:
            best, best_value = np.asarray(found.x), float(found.fun)
    return best


def _negative_log_posterior(theta: Array, squared: Array, targets: Array) -> tuple[float, Array]:
    n_knobs, n = squared.shape[0], len(targets)
    log_lengths, signal, noise = theta[:n_knobs], float(np.exp(theta[-2])), float(np.exp(theta[-1]))
    correlation, slope = _matern(np.tensordot(np.exp(-2.0 * log_lengths), squared, axes=1))
    covariance = signal * correlation
    covariance[np.diag_indices(n)] += noise + 1e-8 * signal
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return 1e25, np.zeros_like(theta)
    alpha = cho_solve((factor, True), targets)
    inverse, _ = dpotri(factor, lower=1)  # the lower triangle only
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    value = 0.5 * float(targets @ alpha) + float(np.log(np.diag(factor)).sum())
    weight = inverse - np.outer(alpha, alpha)  # twice the derivative by the covariance
    by_length = -signal * (squared.reshape(n_knobs, -1) @ (weight * slope).ravel()) * np.exp(-2.0 * log_lengths)
    by_signal = 0.5 * float((weight * correlation).sum()) * signal
    by_noise = 0.5 * float(np.trace(weight)) * noise
    means = np.concatenate([np.full(n_knobs, _length_prior_mean(n_knobs)), [_SIGNAL_PRIOR[0], _NOISE_PRIOR[0]]])
    deviations = np.concatenate([np.full(n_knobs, _LENGTH_PRIOR_STD), [_SIGNAL_PRIOR[1], _NOISE_PRIOR[1]]])
    z = (theta - means) / deviations
    return value + 0.5 * float(z @ z), np.concatenate([by_length, [by_signal, by_noise]]) + z / deviations


@dataclass(frozen=True)
class Posterior:
    """What the data say under given hyperparameters; `predict` gives mean and deviation of the noiseless score."""

    theta: Array
    points: Array
    targets: Array
    is_categorical: BoolArray
    factor: Array
    alpha: Array

    @staticmethod
    def of(theta: Array, points: Array, targets: Array, is_categorical: BoolArray) -> Posterior:
        signal, noise = float(np.exp(theta[-2])), float(np.exp(theta[-1]))
        correlation, _ = _matern(_scaled_distances(points, points, is_categorical, theta[:-2]))
        covariance = signal * correlation
        jitter = 1e-8 * signal
        while True:
            covariance[np.diag_indices(len(points))] = signal + noise + jitter
            try:
                factor, _ = cho_factor(covariance, lower=True)
            except np.linalg.LinAlgError:
                jitter *= 10.0  # ends: with jitter of the order of n * signal any such matrix is positive definite
            else:
                return Posterior(theta, points, targets, is_categorical, factor, cho_solve((factor, True), targets))

    def with_fantasies(self, points: Array) -> Posterior:
        """As if `points` had been observed to be what is expected there: their surroundings lose their appeal."""
        expected, _ = self.predict(points)
        return Posterior.of(
            self.theta,
            np.concatenate([self.points, points]),
            np.concatenate([self.targets, expected]),
            self.is_categorical,
        )

    def predict(self, points: Array) -> tuple[Array, Array]:
        signal = float(np.exp(self.theta[-2]))
        cross = signal * _matern(_scaled_distances(self.points, points, self.is_categorical, self.theta[:-2]))[0]
        half = solve_triangular(self.factor, cross, lower=True, check_finite=False)
        variance = signal - np.einsum("ij,ij->j", half, half)
        return cross.T @ self.alpha, np.sqrt(np.maximum(variance, 1e-12 * signal))

    def predict_gradient(self, point: Array) -> tuple[float, float, Array, Array]:
        """Mean, deviation and their gradients at one point; zero along categorical knobs."""
        signal = float(np.exp(self.theta[-2]))
        weights = np.exp(-2.0 * self.theta[:-2])
        difference = point - self.points
        difference[:, self.is_categorical] = difference[:, self.is_categorical] != 0.0
        correlation, slope = _matern((difference * difference) @ weights)
        cross = signal * correlation
        by_point = (2.0 * signal * slope)[:, None] * difference * weights
        by_point[:, self.is_categorical] = 0.0
        solved = cho_solve((self.factor, True), cross, check_finite=False)
        deviation = float(np.sqrt(max(signal - float(cross @ solved), 1e-12 * signal)))
        return float(cross @ self.alpha), deviation, by_point.T @ self.alpha, -(by_point.T @ solved) / deviation
