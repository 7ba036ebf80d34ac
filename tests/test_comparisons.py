"""Learning from comparisons: the page's split of items, and its laws."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression

import skcontrast

PAGE = (Path(skcontrast.__file__).parents[1] / "docs" / "preferences.md").read_text("utf-8")
rng = np.random.default_rng(0)
ITEMS = rng.normal(size=(60, 3))
PAIRS = np.array([rng.choice(60, 2, replace=False) for _ in range(600)])
WORTH = ITEMS @ [1.0, -0.5, 0.2]
FIRST = rng.random(600) < 1 / (1 + np.exp(-2 * (WORTH[PAIRS[:, 0]] - WORTH[PAIRS[:, 1]])))
MODEL = LogisticRegression(fit_intercept=False, C=0.1, tol=1e-10, max_iter=1000)


def fitted(phi, pairs=PAIRS, first=FIRST):
    return MODEL.fit(phi[pairs[:, 0]] - phi[pairs[:, 1]], first).coef_[0].copy()


def test_no_item_is_on_both_sides():
    names = {}
    code = re.search(r"```python\n(import numpy.*?)```", PAGE, re.DOTALL)[1]
    exec(code, names)
    seen = []
    for train, test in names["split_by_items"](PAIRS, 60, n_splits=3):
        assert not set(PAIRS[train].ravel()) & set(PAIRS[test].ravel())
        assert len(train) > 100 and len(test) > 20
        seen.append(set(PAIRS[test].ravel()))
    assert not seen[0] & seen[1] and not seen[1] & seen[2]


def test_the_order_within_a_pair_does_not_matter():
    turned, flip = PAIRS.copy(), rng.random(600) < 0.5
    turned[flip] = turned[flip, ::-1]
    np.testing.assert_allclose(fitted(ITEMS, turned, FIRST ^ flip), fitted(ITEMS), rtol=1e-5)


def test_it_finds_the_worth():
    coef = MODEL.set_params(C=100.0).fit(ITEMS[PAIRS[:, 0]] - ITEMS[PAIRS[:, 1]], FIRST).coef_[0]
    MODEL.set_params(C=0.1)
    np.testing.assert_allclose(coef, [2.0, -1.0, 0.4], atol=0.5)


def test_a_wide_kernel_is_linear():
    phi = Nystroem(gamma=1e-6, n_components=60, random_state=0).fit_transform(ITEMS)
    # Of a flat kernel the differences are small: their scale is made up for by C.
    differences = 1e3 * (phi[PAIRS[:, 0]] - phi[PAIRS[:, 1]])
    wide = 1e3 * phi @ MODEL.fit(differences, FIRST).coef_[0]
    straight = ITEMS @ fitted(ITEMS)
    assert np.corrcoef(wide, straight)[0, 1] == pytest.approx(1, abs=1e-3)
