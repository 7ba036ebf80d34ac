"""Hard negatives and pairs that are given as blocks; pairs that may be wrong."""

import numpy as np
import pytest
import torch
from multiview_cases import encoder, latent
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder
from skcontrast.multiview import (
    Blocks,
    CanonicalCorrelation,
    MultiViewContrastiveEncoder,
    pair_credibility,
)
from skcontrast.objectives import InfoNCE, Pairwise

HARD = InfoNCE(form="one_way", hard_negatives=True)


def triples(n=240, seed=0):
    """Rows, what belongs to them, and what differs from that in one number that matters little."""
    rng = np.random.default_rng(seed)
    main, detail = 3 * rng.normal(size=(n, 4)), rng.choice([-0.3, 0.3], size=(n, 1))
    noisy = lambda d: np.hstack([main, d]) + 0.02 * rng.normal(size=(n, 5))
    return noisy(detail), noisy(detail), noisy(-detail)


def test_the_loss_leaves_out_hard_negatives_that_are_not_there():
    rng = np.random.default_rng(0)
    z = torch.tensor(rng.normal(size=(3, 6, 4)))
    present = torch.ones(3, 6, dtype=torch.bool)
    present[2, [1, 4]] = False
    present[1, 3] = False
    u = torch.nn.functional.normalize(z, dim=-1)
    candidates = torch.cat([u[1][present[1]], u[2][present[2]]])
    losses = [
        -u[0, i] @ u[1, i] / 0.2 + torch.logsumexp(candidates @ u[0, i] / 0.2, 0)
        for i in (0, 1, 2, 4, 5)
    ]
    found = InfoNCE(temperature=0.2, form="one_way", hard_negatives=True)(z, present=present)
    assert_allclose(found.mean(), torch.stack(losses).mean(), rtol=1e-12)


@pytest.mark.parametrize("tied", [True, ["answer", "wrong"]])
def test_given_negatives_teach_what_tells_them_apart(tied):
    query, answer, wrong = triples()
    settings = {
        "n_components": 8,
        "objective": HARD,
        "tied": tied,
        "views": None,
        "max_iter": 60,
        "batch_size": 60,
        "random_state": 0,
    }
    X = Blocks(query=query, answer=answer, wrong=wrong)
    model = MultiViewContrastiveEncoder(**settings).fit(X)
    place = lambda block, name: model.transform_block(block, name)
    asked, right, false = place(query, "query"), place(answer, "answer"), place(wrong, "wrong")
    ahead = (asked * right).sum(axis=1) > (asked * false).sum(axis=1)
    assert ahead.mean() > 0.95
    # The block of negatives is no partner.
    assert model.score(X) > 0.95
    assert_allclose(model.score_pairs(X), (asked * right).sum(axis=1), atol=1e-6)
    lacking = Blocks(
        query=query, answer=answer, wrong=np.where(np.arange(240)[:, None] % 3, wrong, np.nan)
    )
    ahead = MultiViewContrastiveEncoder(**settings).fit(lacking).score(lacking)
    assert ahead > 0.95


def test_some_blocks_share_a_network():
    A, B, _ = latent()
    X = np.hstack([A, B, B[::-1]])
    model = encoder(blocks=[5, 4, 4], tied=["block1", "block2"], standardize=False).fit(X)
    same = model.transform_block(B, "block1"), model.transform_block(B, "block2")
    assert_allclose(*same)
    assert len(model.network_.build(model.input_.layout, 9).towers) == 2
    with pytest.raises(ValueError, match=r"tied=\['block1'\] names one block"):
        encoder(blocks=[5, 4, 4], tied=["block1"]).fit(X)
    with pytest.raises(ValueError, match=r"'block0' has 5 columns.*names of those that are alike"):
        encoder(blocks=[5, 4, 4], tied=["block0", "block1"]).fit(X)
    with pytest.raises(ValueError, match="blok1.*block1"):
        encoder(blocks=[5, 4, 4], tied=["blok1", "block2"]).fit(X)


def test_negatives_that_cannot_be_read_are_refused():
    A, B, _ = latent()
    three = np.hstack([A, B, B])
    with pytest.raises(ValueError, match=r"type tied=\['block1', 'block2'\]"):
        encoder(blocks=[5, 4, 4], objective=HARD).fit(three)
    with pytest.raises(ValueError, match="there are 4: leave 1 out, or type compose='sum'"):
        encoder(blocks=[5, 4, 2, 2], tied=["block2", "block3"], objective=HARD).fit(three)
    with pytest.raises(ValueError, match="takes the last view for hard negatives"):
        encoder(objective=HARD).fit(np.hstack([A, B]))
    with pytest.raises(ValueError, match="Pairwise compares two blocks at a time"):
        encoder(blocks=[5, 4, 4], objective=Pairwise(HARD)).fit(three)
    with pytest.raises(ValueError, match="Pairwise compares two blocks at a time"):
        encoder(blocks=[5, 4, 4], objective=Pairwise(HARD) + 0.1 * Pairwise()).fit(three)


@pytest.mark.parametrize("more", [0 * InfoNCE(), None])
def test_views_that_one_anchor_does_not_read_are_refused(more):
    one_way = InfoNCE(form="one_way")
    objective = one_way if more is None else one_way + more
    with pytest.raises(ValueError, match="reads 2 views or blocks of a row, and there are 3"):
        ContrastiveEncoder(2, objective=objective, n_views=3, max_iter=1).fit(latent()[0])


def sentences(n=80):
    """Questions, their answers in other words, and answers with one word changed."""
    rng = np.random.default_rng(0)
    who, where = rng.integers(0, 12, n), rng.integers(0, 2, n)
    ask = [f"person{a} question{b} tell me" for a, b in zip(who, where)]
    said = [f"human{a} reply{b} it is so" for a, b in zip(who, where)]
    wrong = [f"human{a} reply{1 - b} it is so" for a, b in zip(who, where)]
    return ask, said, wrong


def test_texts_given_as_blocks_are_views_of_each_other():
    ask, said, wrong = sentences()
    encoder = lambda **p: ContrastiveTextEncoder(64, max_iter=40, random_state=0, **p)
    cosines = lambda model, a, b: (model.transform(a) * model.transform(b)).sum(axis=1)
    alone = encoder().fit(ask + said)
    paired = encoder().fit(Blocks(ask=ask, said=said))
    assert cosines(paired, ask, said).mean() > cosines(alone, ask, said).mean() + 0.2
    hard = encoder(objective=HARD).fit(Blocks(ask=ask, said=said, wrong=wrong))
    gap = lambda model: (cosines(model, ask, said) - cosines(model, ask, wrong)).mean()
    assert gap(hard) > 1.2 * gap(paired)
    # It goes on, keeps a part for early stopping, and reads words that one block alone has.
    going = encoder(early_stopping=True, warm_start=True).fit(Blocks(ask=ask, said=said))
    going.partial_fit(Blocks(ask=ask, said=said), groups=np.arange(80) // 2)
    assert np.isfinite(going.transform(wrong)).all()


def test_blocks_that_are_no_texts_are_refused():
    ask, said, wrong = sentences()
    encoder = ContrastiveTextEncoder(16, max_iter=1)
    cases = [
        (Blocks(a=ask, b=np.ones((80, 2))), "'b' holds no texts"),
        (Blocks(a=ask, b=[None, *said[1:]]), "'b' has no text in row 0, and 1 such"),
        (Blocks(a=ask), r"with one block: pass its texts, X\['a'\]"),
        (Blocks(a=ask[:1], b=said[:1]), "pass at least 2 rows"),
    ]
    for X, message in cases:
        with pytest.raises(ValueError, match=message):
            encoder.fit(X)
    with pytest.raises(ValueError, match="reads groups, of which there is one a row"):
        ContrastiveTextEncoder(16, views="same_group").fit(
            Blocks(a=ask, b=said), groups=np.arange(80)
        )
    with pytest.warns(UserWarning, match="n_views has no effect: X has 2 blocks"):
        ContrastiveTextEncoder(16, max_iter=1, n_views=3).fit(Blocks(a=ask, b=said))
    fitted = encoder.fit(Blocks(a=ask, b=said))
    with pytest.raises(ValueError, match=r"texts of one block, such as X\['a'\]"):
        fitted.transform(Blocks(a=ask, b=said))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_wrong_pairs_are_found(share):
    rng = np.random.default_rng(1)
    latent = rng.normal(size=(600, 5))
    A, B = (latent @ rng.normal(size=(5, p)) + 0.5 * rng.normal(size=(600, p)) for p in (8, 9))
    wrong = rng.permutation(600)[: int(share * 600)]
    B[wrong] = B[np.roll(wrong, 1)]
    sure = pair_credibility(Blocks(a=A, b=B))
    right = ~np.isin(np.arange(600), wrong)
    assert_allclose(sure.mean(), 1 - share, atol=0.06)
    assert sure[right].mean() > 0.9
    if share:
        assert roc_auc_score(right, sure) > 0.95
    else:
        assert (sure > 0.5).mean() > 0.99


def test_weights_of_wrong_pairs_help_and_blocks_that_are_not_there_count_for_nothing():
    A, B, _ = latent(300, noise=0.1)
    rng = np.random.default_rng(0)
    wrong = rng.permutation(300)[:120]
    X = np.hstack([A, B])
    X[wrong, 5:] = X[np.roll(wrong, 1), 5:]
    holes = X.copy()
    holes[:20, 5:] = np.nan
    sure = pair_credibility(holes, blocks=[5, 4])
    assert (sure[:20] == 1).all()
    fit = lambda w: encoder(n_components=4, max_iter=40, init=None, views=None).fit(
        X, pair_weight=w
    )
    test = np.hstack(latent(300, noise=0.1)[:2])
    weight = pair_credibility(X, blocks=[5, 4])
    assert fit(weight).score(test) > fit(None).score(test)


def test_an_estimator_of_ones_own_scores_pairs():
    A, B, _ = latent(90)
    X = np.hstack([A, B])
    given = pair_credibility(X, estimator=CanonicalCorrelation(blocks=[5, 4]), cv=3)
    assert given.shape == (90,)
    network = encoder(max_iter=1)
    assert pair_credibility(X, estimator=network, cv=2).shape == (90,)
    assert not hasattr(network, "weights_")
    with pytest.raises(ValueError, match="blocks= is a parameter of the estimator"):
        pair_credibility(X, [5, 4], estimator=network)
    with pytest.raises(TypeError, match="does not score pairs of blocks"):
        pair_credibility(X, estimator=object())
    with pytest.raises(ValueError, match="cv=1"):
        pair_credibility(X, [5, 4], cv=1)
