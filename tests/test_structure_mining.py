"""Mining: the nearest candidates under a ceiling."""

import numpy as np
import pytest
import torch

from skcontrast.functional import CEILINGS, mine_negatives, normalize, score_ceiling


def draw(n, d=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, d, generator=generator, dtype=torch.float64))


def test_ceilings():
    positive = torch.tensor([0.8, 0.0, -0.5], dtype=torch.float64)
    expected = {
        "relative": [0.6, 0.0, -0.625],
        "absolute": [0.55, -0.25, -0.75],
        "fixed": [0.75, 0.75, 0.75],
    }
    assert set(expected) == set(CEILINGS)
    for rule, values in expected.items():
        ceiling = score_ceiling(positive, 0.25, rule)
        np.testing.assert_allclose(ceiling, values)
    # Whatever its sign, nothing as near as the positive passes.
    assert (score_ceiling(draw(50)[:, 0], 0.1) <= draw(50)[:, 0]).all()


@pytest.mark.parametrize("block_size", [None, 1, 4, 100])
@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("with_ceiling", [False, True])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_mining_is_a_loop(k, with_ceiling, skip, block_size):
    anchors, candidates = draw(5), draw(12, seed=1)
    ceiling = score_ceiling(draw(5, seed=2)[:, 0], 0.1, "absolute") if with_ceiling else None
    allowed = torch.rand(5, 12, generator=torch.Generator().manual_seed(3)) < 0.8
    index, score = mine_negatives(
        anchors,
        candidates,
        k,
        keep=lambda rows, columns: allowed[rows, columns],
        ceiling=ceiling,
        skip=skip,
        block_size=block_size,
    )
    assert index.shape == score.shape == (5, k) and index.dtype == torch.int64
    for i in range(5):
        s = anchors[i] @ candidates.T
        found = [j for j in range(12) if allowed[i, j]]
        if with_ceiling:
            found = [j for j in found if s[j] <= ceiling[i]]
        found = sorted(found, key=lambda j: -float(s[j]))[skip : skip + k]
        assert index[i].tolist() == found + [-1] * (k - len(found))
        torch.testing.assert_close(score[i, : len(found)], s[found])
        assert score[i, len(found) :].isneginf().all()


def test_ties_and_no_candidates_at_all():
    rows = torch.ones(4, 2)
    index, _ = mine_negatives(rows, rows, 4)
    assert (index.sort(1).values == torch.arange(4)).all()
    none = torch.zeros(4, 4, dtype=torch.bool)
    index, score = mine_negatives(rows, rows, 2, keep=lambda r, c: none[r, c])
    assert (index == -1).all() and score.isneginf().all()
