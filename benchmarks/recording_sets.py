"""Recordings for the benchmark: a simulated animal on a track, and real motions of people."""

from pathlib import Path
from typing import NamedTuple

import numpy as np


def track(n, n_neurons=60, signal=1.0, n_others=0, seed=0):
    """Spikes of an animal that runs up and down a track, under a gain that drifts.

    A third of the neurons fires at a place, the others at a place in one direction. All rates
    share a gain that rises from start to end, on top of a slow wave, so that the end of the
    recording lies beyond what came before.

    Parameters
    ----------
    n : int
        Time steps.

    n_neurons : int, default=60

    signal : float, default=1.0
        Mean number of spikes in a step at the place of a neuron.

    n_others : int, default=0
        Further neurons that follow another slow variable, twice as loud.

    seed : int, default=0

    Returns
    -------
    X : ndarray of shape (n, n_neurons + n_others)
        Numbers of spikes.

    position : ndarray of shape (n,)
        On the track, from 0 to 1.
    """
    rng = np.random.default_rng(seed)
    phase = _slow(rng, n) % 2
    position, upward = np.where(phase < 1, phase, 2 - phase), phase < 1
    tuned = _fields(rng, position, n_neurons)
    of_one_way = np.arange(n_neurons) % 3 > 0
    prefers = rng.uniform(size=n_neurons) < 0.5
    tuned = np.where(of_one_way & (prefers != upward[:, None]), 0.2 * tuned, tuned)
    tuned = np.hstack([tuned, 2 * _fields(rng, _slow(rng, n) % 1, n_others)])
    t = np.linspace(0, 1, n)
    gain = np.exp(t - 0.5 + 0.3 * np.sin(9 * t))
    return rng.poisson(signal * gain[:, None] * (tuned + 0.05)).astype(float), position


def _slow(rng, n):
    """A distance that grows by about 0.012 a step, faster and slower in turn."""
    speed = np.convolve(rng.normal(size=n + 199), np.ones(200) / np.sqrt(200), "valid")
    return np.cumsum(0.012 * np.exp(0.5 * speed))


def _fields(rng, position, n_neurons):
    """Bumps (n, n_neurons) around random places."""
    place = rng.uniform(size=n_neurons)
    return np.exp(-((position[:, None] - place) ** 2) / (2 * 0.1**2))


class Recorded(NamedTuple):
    """Time steps to learn from and to test on, what happened at each, and sessions of each."""

    X: np.ndarray
    y: np.ndarray
    sessions: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    sessions_test: np.ndarray


def _simulated(n_others):
    def load(folder, seed):
        X, y = track(4000, n_others=n_others, seed=seed)
        sessions = np.zeros(4000, dtype=int)
        return Recorded(
            *(part[:3200] for part in (X, y, sessions)), X[3200:], y[3200:], sessions[:800]
        )

    return load


def _motions(folder, seed):
    """BasicMotions: six channels of a wrist and what its owner did, 100 steps a session."""
    data = np.load(Path(folder) / "timeseries" / "BasicMotions" / "BasicMotions.npz")
    names = np.unique(data["y_train"])
    parts = []
    for part in ("train", "test"):
        series, y = data[f"X_{part}"], np.searchsorted(names, data[f"y_{part}"])
        n, _, length = series.shape
        parts += [np.hstack(series).T, np.repeat(y, length), np.repeat(np.arange(n), length)]
    return Recorded(*parts)


# Name -> ``load(folder, seed)``.
SETS = {
    "track": _simulated(0),
    "track, other neurons": _simulated(60),
    "BasicMotions": _motions,
}
