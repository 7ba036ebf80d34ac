"""Scales of the columns of a stream: mean and variance that move with the rows."""

import numpy as np
import scipy.sparse as sp

from skcontrast._inputs.scales import SMALLEST, TINY, row_length, scaler_of, two_valued

# Rows before count as no more than this, so that those of a call still move the scales.
MEMORY = 1000


def moments(X):
    """What is kept of rows: their number, mean and variance, and columns of two values at most."""
    if sp.issparse(X):
        return {"n": np.float64(X.shape[0])[None], "length": np.array([row_length(X)])}
    found, (binary, low, high) = scaler_of(X, 1.0), two_valued(X)
    return {
        "n": np.array([float(X.shape[0])]),
        "mean": np.nan_to_num(found.mean_),
        "variance": np.nan_to_num(found.var_),
        "low": low,
        "high": high,
        "few": binary | (low == high),
    }


def merged(old, new):
    """The moments of rows before and of those that come (Chan et al., 1979)."""
    share = new["n"] / (np.minimum(old["n"], MEMORY) + new["n"])
    n = old["n"] + new["n"]
    if "length" in old:
        square = (1 - share) * old["length"] ** 2 + share * new["length"] ** 2
        return {"n": n, "length": np.sqrt(square)}
    low, high = np.minimum(old["low"], new["low"]), np.maximum(old["high"], new["high"])
    few = old["few"] & new["few"]
    for value in (old["low"], old["high"], new["low"], new["high"]):
        few &= (value == low) | (value == high)
    with np.errstate(over="ignore"):
        step = new["mean"] - old["mean"]
        variance = (1 - share) * old["variance"] + share * new["variance"]
        variance += share * (1 - share) * step**2
        mean = old["mean"] + share * step
    kept = {"mean": mean, "variance": np.nan_to_num(variance)}
    return {"n": n, **kept, "low": low, "high": high, "few": few}


def scales(kept, mean, scale):
    """Mean and scale of the columns; where float64 holds too few digits of squares, the former."""
    if "length" in kept:
        return None, np.full(len(scale), max(kept["length"][0], SMALLEST))
    variance = kept["variance"]
    good = (variance >= TINY) & (variance < np.finfo(np.float64).max)
    binary = kept["few"] & (kept["low"] < kept["high"])
    spread = np.where(binary, kept["high"] - kept["low"], np.sqrt(variance))
    return np.where(good, kept["mean"], mean), np.where(good, spread, scale)
