"""MaskedFeatures: the formula, its limits, and the frame around it."""

import numpy as np
import pytest
import torch
from instances import blobs

import skcontrast
from skcontrast import ContrastiveEncoder, SupervisedContrastiveClassifier
from skcontrast.objectives import (
    CrossEntropy,
    InfoNCE,
    MaskedFeatures,
    PredictionError,
    SupCon,
)

X, Y = blobs()
SMALL = {"max_iter": 5, "batch_size": 20, "n_components": 6, "random_state": 0}


def encoder(objective, **options):
    return ContrastiveEncoder(objective=objective, **{**SMALL, **options})


def equal(one, other):
    return all(np.array_equal(one.weights_[k], other.weights_[k]) for k in one.weights_)


def test_it_is_the_formula():
    h = torch.as_tensor(np.random.default_rng(0).normal(size=(2, 5, 4)))
    y = torch.tensor([[0.3], [1.0], [-1.0], [0.0], [2.0]], dtype=torch.float64)
    built = MaskedFeatures(PredictionError(), rate=0.4, weight=0.3).build(5)
    built.rebuild = torch.nn.Linear(4, 4).double()
    torch.manual_seed(7)
    loss = built(views=h, target=y, step=2)
    draws = torch.Generator().manual_seed(7 + 2 + 2)
    kept = torch.rand(2, 5, 4, generator=draws) >= 0.4
    assert 0 < kept.sum() < kept.numel()
    again = built.rebuild(h * kept)
    task = (h[..., 0] - y[:, 0]).square().mean()
    judged = (again[..., 0] - y[:, 0]).square().mean()
    variance = h.flatten(0, 1).var(0, correction=0).mean()
    error = (again - h)[~kept].square().mean() / variance
    torch.testing.assert_close(loss, task + 0.3 * (judged + error))


@pytest.mark.parametrize("beside", [0, 0.5 * InfoNCE()])
def test_without_weight_it_is_the_task(beside):
    def fitted(task):
        return encoder(task if beside == 0 else beside + task).fit(X, Y)

    plain = fitted(CrossEntropy())
    without, used = (fitted(MaskedFeatures(CrossEntropy(), weight=w)) for w in (0, 0.5))
    assert without.loss_curve_ == plain.loss_curve_ and equal(without, plain)
    assert not equal(used, plain)
    assert plain.weights_.keys() == used.weights_.keys()


def test_one_head_judges_both_and_the_embedding_can_be_rebuilt():
    model = encoder(MaskedFeatures(CrossEntropy()), max_iter=60, learning_rate=0.01).fit(X, Y)
    heads = [k for k in model.objective_weights_ if k.endswith("head.weight")]
    assert len(heads) == 2  # that of the task, and the last layer of R
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    classifier = SupervisedContrastiveClassifier(encoder(MaskedFeatures(CrossEntropy())))
    assert classifier.fit(X, Y).score(X, Y) > 0.8


def test_a_named_target_and_a_saved_model(tmp_path):
    task = MaskedFeatures(CrossEntropy(target="it"), decoder="linear")
    model = encoder(task).fit(X, {"it": Y, "other": X})
    assert equal(model, encoder(MaskedFeatures(CrossEntropy(), decoder="linear")).fit(X, Y))
    skcontrast.save(model, tmp_path / "m")
    other = skcontrast.load(tmp_path / "m")
    assert np.array_equal(other.transform(X), model.transform(X))


def test_a_task_that_reads_no_embedding_is_refused():
    with pytest.raises(ValueError, match=r"does not read it: type CrossEntropy\(\)"):
        encoder(MaskedFeatures(SupCon())).fit(X, Y)
