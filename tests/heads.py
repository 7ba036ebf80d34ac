"""What the tests of the estimators with a head share: both heads over every encoder."""

import numpy as np
import pytest
from bad_input import one_sentence
from instances import blobs
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from text_instances import topics

from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    KernelConditionalContrastive,
    SupervisedContrastiveClassifier,
    SupervisedContrastiveRegressor,
)

X, Y = blobs()
TEXTS, TOPIC = topics(60)
CONDITION = X[:, 1]
SMALL = {"max_iter": 2, "n_components": 16, "device": "cpu"}
ENCODERS = {
    "default": None,
    "table": ContrastiveEncoder(**SMALL),
    "condition": KernelConditionalContrastive(**SMALL, mode="fair"),
    "texts": ContrastiveTextEncoder(**SMALL),
}
FROZEN = {
    "frozen table": clone(ENCODERS["table"]).set_params(random_state=0).fit(X),
    "frozen condition": clone(ENCODERS["condition"])
    .set_params(random_state=0)
    .fit(X, condition=CONDITION),
    "frozen texts": clone(ENCODERS["texts"]).set_params(random_state=0).fit(TEXTS),
}
HEADS = {
    "classifier": (SupervisedContrastiveClassifier, LogisticRegression()),
    "regressor": (SupervisedContrastiveRegressor, Ridge()),
}
on_heads = pytest.mark.parametrize("head", HEADS)
on_encoders = pytest.mark.parametrize("name", ENCODERS)
on_all_encoders = pytest.mark.parametrize("name", [*ENCODERS, *FROZEN])


def case(head, name, **params):
    """An estimator with a head, and the arguments of its fit."""
    cls, plain = HEADS[head]
    encoder = FrozenEstimator(FROZEN[name]) if name in FROZEN else ENCODERS[name]
    model = cls(clone(encoder, safe=False), plain, random_state=0).set_params(**params)
    if encoder is None:
        model.set_params(encoder__max_iter=2, encoder__n_components=16)
    y = np.array(TOPIC) if "texts" in name else Y
    given = {"X": TEXTS if "texts" in name else X}
    given["y"] = y if head == "classifier" else 3.0 * y + np.arange(60) % 2
    return model, {**given, "condition": CONDITION} if name == "condition" else given


def half_labelled(y):
    """Labels of every other pair of rows."""
    return np.where(np.arange(60) % 4 > 1, y, -1 if y.dtype.kind == "i" else np.nan)


def assert_refused(match, model, error=ValueError, **given):
    """One clear sentence, and nothing left by a first fit."""
    before = dict(vars(model))
    with pytest.raises(error, match=match) as caught:
        model.fit(**given)
    assert one_sentence(caught.value), str(caught.value)
    assert vars(model) == before
