"""Adapters of golden files with a background: contrastive PCA, and common and salient parts."""

import numpy as np
import torch

from skcontrast import ContrastivePCA
from skcontrast.contrast._directions import affinities, medoids, planes, spread
from skcontrast.objectives import CommonSalient


def _signed(expected, found):
    """What was found, each column with the sign of the expected one."""
    return found * np.sign((expected * found).sum(axis=0))


def _own_scale(X):
    """The reference divides each table by its own deviation, which may be of one row in two."""
    return (X - X.mean(axis=0)) / X.std(axis=0)


def cpca(case):
    """The covariances, projections at four contrasts, all affinities and the choice by them.

    The published code compares planes of projected rows; the paper, and the estimator, planes of
    directions.
    """
    F, B = (_own_scale(case.arrays[name]) for name in ("foreground", "background"))
    case.check("fg_preprocessed", F)
    both = spread(F, B)
    case.check("fg_cov", both.foreground)
    case.check("bg_cov", both.background)
    seen = affinities([np.linalg.qr(F @ plane)[0] for plane in planes(both)])
    case.check("affinity", seen)
    case.check("auto_alphas_seed0", np.concatenate([[0.0], medoids(seen)]))
    for key in [key for key in case.arrays if key.startswith("proj_alpha_")]:
        contrast = float(key.rpartition("_")[2])
        model = ContrastivePCA(contrast=contrast, standardize=False).fit(F, background=B)
        case.check(key, _signed(case.arrays[key], model.transform(F)))


def gcpca(case):
    """Form 1 is a contrast; 2, 3 and 4 have the directions of the ratio, in its order.

    The values that the file has of forms 2 to 4 are of the tables before they are scaled, and the
    scores of form 4 are of another length.
    """
    F, B = case.arrays["foreground_prepared"], case.arrays["background_prepared"]
    k, alpha = F.shape[1], case.number("alpha")
    plain = ContrastivePCA(k, contrast=alpha, standardize=False).fit(F, background=B)
    case.check("v1_loadings", _signed(case.arrays["v1_loadings"], plain.components_.T))
    ratio = ContrastivePCA(k, contrast="ratio", shrinkage=0.0, standardize=False)
    ratio.fit(F, background=B)
    for form in (2, 3, 4):
        key = f"v{form}_loadings"
        case.check(key, _signed(case.arrays[key], ratio.components_.T))
    C_F, C_B = np.cov(F.T), np.cov(B.T)
    w = ratio.eigenvalues_
    for v, own, index in zip(ratio.components_, w, ratio.contrast_index_):
        np.testing.assert_allclose(C_F @ v, own * C_B @ v, atol=1e-10)
        np.testing.assert_allclose((C_F - C_B) @ v, (own - 1) * C_B @ v, atol=1e-10)
        np.testing.assert_allclose((C_F - C_B) @ v, index * (C_F + C_B) @ v, atol=1e-10)


def sepclr(case):
    """SepCLR with all its terms: each by itself, weighed by 1 or 0, and the whole.

    Of the terms of attributes that are given (``sup_align``) there is none here.
    """
    background = case.constant("is_target") == 0
    names = "common1", "common2", "salient1", "salient2"
    n_salient = case.arrays["salient1"].shape[1]

    def loss(leaves, *weights):
        views = torch.stack([torch.cat(leaves[v::2], dim=1) for v in range(2)])
        objective = CommonSalient(n_salient, *weights, tau=case.number("tau"))
        return objective(views, condition=background)

    common = loss(case.leaves(*names), 0, 0, 0)
    case.check("common_loss", common)
    for key, weights in {
        "salient_loss": (1, 0, 0),
        "salient_reg": (0, 1, 0),
        "jem": (0, 0, 1),
    }.items():
        case.check(key, loss(case.leaves(*names), *weights) - common)
    keys = "salient_term_beta", "salient_reg_beta", "jem_lambda"
    leaves = case.leaves(*names)
    total = loss(leaves, *(case.number(key) for key in keys))
    case.check_loss("total", total, **dict(zip([f"grad_{name}" for name in names], leaves)))
