"""Recipes of the page of objectives: what sums and arguments say without a class of their own."""

import numpy as np
import torch
from instances import blobs
from sklearn.linear_model import Ridge

from skcontrast import ContrastiveEncoder
from skcontrast.functional import normalize
from skcontrast.objectives import DCLR, InfoNCE, PredictionError, SupCon

X, Y = blobs()
SETTINGS = {"n_components": 8, "max_iter": 60, "batch_size": 20, "random_state": 0}
SETTINGS |= {"passthrough": False, "learning_rate": 0.01}


def test_denoising_by_the_rows_as_target():
    model = ContrastiveEncoder(objective=PredictionError(), views="noise", **SETTINGS).fit(X, X)
    weight, bias = (model.objective_weights_[f"head.{k}"] for k in ("weight", "bias"))
    rebuilt = model.target_mean_ + model.target_scale_ * (model.transform(X) @ weight.T + bias)
    assert np.square(rebuilt - X).mean() < 0.1 * X.var(0).mean()


def test_vectors_of_a_teacher_as_target():
    teacher = np.tanh(X @ np.random.default_rng(0).normal(size=(X.shape[1], 6)))
    student = ContrastiveEncoder(objective=PredictionError(), views=None, n_views=1, **SETTINGS)
    Z = student.set_params(n_components=3).fit(X, teacher).transform(X)
    untrained = student.set_params(learning_rate=1e-9).fit(X, teacher).transform(X)
    scores = [Ridge(1e-3).fit(rows, teacher).score(rows, teacher) for rows in (Z, untrained)]
    assert scores[0] > scores[1] + 0.05


def test_a_tree_of_levels_as_target():
    fine = np.arange(len(X)) % 6
    levels = np.column_stack([fine // 2, fine])
    rows = np.eye(6)[fine] + 0.1 * X[:, :1]
    model = ContrastiveEncoder(objective=SupCon(label_similarity="tree"), **SETTINGS)
    Z = normalize(torch.as_tensor(model.fit(rows, levels).transform(rows)))
    cosine = (Z @ Z.T).numpy()
    same = fine[:, None] == fine
    near = (levels[:, None, 0] == levels[:, 0]) & ~same
    assert cosine[same].mean() > cosine[near].mean() > cosine[~same & ~near].mean() + 0.1


def test_negatives_of_other_clusters_alone():
    views = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cluster = torch.tensor([0, 0, 1, 1, 2, 2])
    memberships = torch.eye(3, dtype=torch.float64)[cluster]
    apart = DCLR(0.5, guide="prior", threshold=0.5, form="one_way")(views, prior=memberships)
    for i in range(6):
        kept = torch.cat([torch.tensor([i]), (cluster != cluster[i]).nonzero()[:, 0]])
        alone = InfoNCE(0.5, form="one_way")(views[:, kept])[0]
        torch.testing.assert_close(apart[i], alone)
