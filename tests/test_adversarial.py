"""The adversarial view: its step raises the loss, and costs the network nothing."""

import numpy as np
import pytest
import torch
from test_text_views import batch
from test_view_slots import FAST, TEXTS
from test_views import all_of, dense_rows, sparse_rows

from skcontrast import ContrastiveEncoder
from skcontrast._training.network import ViewNetwork
from skcontrast.networks import HashedEmbeddingBag, build_network
from skcontrast.objectives import InfoNCE
from skcontrast.views import Adversarial, EachView, build_slots, build_views


def contrast(network, x, whole, tau=0.2):
    """InfoNCE of a changed batch among the rows as they are, summed."""
    views = torch.stack([network.projector(network.encoder(part)) for part in (x, whole)])
    return InfoNCE(tau, form="one_way")(views).sum()


@pytest.mark.parametrize("kind", ["dense", "sparse", "texts"])
def test_a_small_adversarial_step_raises_the_loss(kind):
    torch.manual_seed(0)
    if kind == "texts":
        rows = batch([text.split() for text in TEXTS])[2]
        encoder, _ = build_network(HashedEmbeddingBag(), rows.n_features, 8)
    else:
        rows = dense_rows() if kind == "dense" else sparse_rows()
        encoder, _ = build_network("mlp", rows.n_features, 8)
    network = ViewNetwork(encoder, torch.nn.Identity())
    x, index = all_of(rows)
    changed = build_views("word_deletion" if kind == "texts" else "dropout", rows)(x, index)
    before = contrast(network.eval(), changed, x)
    network.train()
    for step in (0.01, 0.1):
        (view,) = build_slots(Adversarial(step), rows, 1, network)
        moved = view(changed, index)
        assert network.training and not any(p.grad is not None for p in network.parameters())
        assert contrast(network.eval(), moved, x) > before
        if kind == "dense":
            lengths = (moved - changed).norm(dim=1)
            torch.testing.assert_close(lengths, torch.full_like(lengths, step))
        network.train()
    (stay,) = build_slots(Adversarial(0.0), rows, 1, network)
    if kind == "dense":
        torch.testing.assert_close(stay(changed, index), changed)


def test_the_adversary_trains_and_needs_a_network():
    X = np.random.RandomState(0).randn(60, 4)
    plain = ContrastiveEncoder(views="mask", **FAST).fit(X).loss_curve_
    for step in (0.0, 1.0):
        views = ["mask", Adversarial(step)]
        loss = ContrastiveEncoder(views=views, early_stopping=True, **FAST).fit(X).loss_curve_
        assert np.isfinite(loss).all()
        loss = ContrastiveEncoder(views=views, **FAST).fit(X).loss_curve_
        assert loss == plain if step == 0 else loss[0] > plain[0]
    each = EachView(["mask", Adversarial()])
    assert ContrastiveEncoder(views=each, n_views=3, **FAST).fit(X).n_iter_ == 1
    with pytest.raises(ValueError, match="a view of training alone"):
        build_views(Adversarial(), dense_rows())
