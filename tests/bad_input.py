"""What the tests of bad input share: a cheap encoder, and what "sound" and "refused" mean."""

import numpy as np
import pytest
import scipy.sparse as sp

from skcontrast import ContrastiveEncoder

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 5))
Y = np.arange(20) % 3
SPARSE = sp.random(20, 5, 0.4, format="csr", random_state=0)


def encoder(**params):
    cheap = {
        "n_components": 3,
        "passthrough": False,
        "network": "linear",
        "max_iter": 1,
        "random_state": 0,
    }
    return ContrastiveEncoder(**{**cheap, "device": "cpu", **params})


def assert_sound(data, y=None, **params):
    """Two fits agree on an embedding without NaN."""
    Z, again = (encoder(**params).fit(data, y).transform(data) for _ in range(2))
    n_components = params.get("n_components", 3)
    assert Z.shape == (np.shape(data)[0], n_components)
    assert np.isfinite(Z).all()
    assert np.array_equal(Z, again)


def assert_refused(match, data=X, y=None, error=ValueError, fit_params=(), **params):
    """One clear sentence; a first fit leaves nothing, a second one the first."""
    model = encoder(**params)
    before = dict(vars(model))
    with pytest.raises(error, match=match) as caught:
        model.fit(data, y, **dict(fit_params))
    assert one_sentence(caught.value), str(caught.value)
    assert {k: v for k, v in vars(model).items() if not k.startswith("_")} == before
    return str(caught.value)


def one_sentence(error):
    """Whether an error says in one line what is wrong; scikit-learn may take a few."""
    if isinstance(error, RuntimeError):
        return False
    standard = ("Expected 2D array", "Input X contains NaN", "Complex data not supported")
    message = str(error).strip()
    return bool(message) and ("\n" not in message or message.startswith(standard))
