"""Adapters of golden files for kernels in heads, preferences and random features."""

import numpy as np
import torch

from skcontrast import ProKeRClassifier
from skcontrast.kernels import RBF, Laplacian, Linear, Polynomial
from skcontrast.networks import FourierFeatures

# What the reference calls "rbf" is of the sum of absolute differences.
KCL = {
    "l1exp_rbf": Laplacian(gamma=0.25),
    "linear": Linear(),
    "poly": Polynomial(degree=3, gamma=1.0, coef0=1.0),
}


def ridge_scores(kernel, alpha, rows, codes, query, n_classes):
    """Scores of our kernel ridge regression; classes without a row have none."""
    model = ProKeRClassifier(
        method="proker", kernel=kernel, alpha=alpha, scaling="ridge", fit_intercept=False
    )
    scores = np.zeros((len(query), n_classes))
    scores[:, np.unique(codes)] = model.fit(rows, codes)._scores(query)
    return scores


def kcl(case):
    """The head: ridge regression on a stored set, at its own scale and shift.

    A density of frequencies is learned there, and its loss is not offered; for the frequencies of
    the file the head is that of a linear kernel between Fourier features.
    """
    rows, query = case.arrays["feat_coreset"], case.arrays["feat_query"]
    codes, config = case.arrays["y_coreset"], case.config
    ridge, n_classes = abs(config["lmd"]) + 0.01, config["n_classes"]

    def check(name, kernel, rows, query):
        scores = ridge_scores(kernel, ridge, rows, codes, query, n_classes)
        scores, expected = config["gamma"] * scores + config["beta"], case.arrays[name]
        case.check(name, np.where(expected < -1e9, expected, scores))  # masked classes

    for name, kernel in KCL.items():
        case.check(f"K_{name}", kernel(rows))
        case.check(f"Kcross_{name}", kernel(query, rows).T)
        check(f"pred_{name}", kernel, rows, query)
    omega, bias = case.arrays["omega"][:, 0], case.arrays["bias"][:, 0]
    waves = [np.sqrt(2 / len(bias)) * np.cos(h @ omega.T + bias) for h in (rows, query)]
    check("pred", Linear(), *waves)
    case.waive("a learned density", *(k for k in case.arrays if k.startswith(("grad_", "loss"))))


def proker_rff(case):
    """The features at their right scale: the file's are sqrt(D / d) times as long.

    Ours have a cosine and a sine where the file has a random phase, whose part is taken off.
    """
    X, W, b, Z = (case.arrays[name] for name in ("X", "W", "b", "Z"))
    D, d = W.shape
    module = FourierFeatures(n_frequencies=D).build(d, 2 * D).double()
    module.phase.weight.data = torch.tensor(W.T)
    with torch.no_grad():
        h = module(torch.tensor(X)).numpy()
    phase = X @ W.T
    of_phases = np.cos(phase[:, None] + phase + 2 * b).mean(-1)
    case.check("Z", h @ h.T, expected=Z @ Z.T * d / D - of_phases)
    case.check("Z", ((h**2).sum(1)), expected=np.ones(len(X)))


def dpo_kernels(case):
    """Log-ratios of two kernels; mixtures, divergences and training of a policy are not offered."""
    x, better, worse = (case.arrays[name] for name in ("x", "y_pos", "y_neg"))
    config = case.config
    kernels = {
        "rbf": RBF(gamma=1 / (2 * config["rbf"]["sigma"] ** 2)),
        "polynomial": Polynomial(
            config["polynomial"]["degree"], gamma=1.0, coef0=config["polynomial"]["c"]
        ),
    }
    for name, kernel in kernels.items():
        ratio = np.log(np.diag(kernel(x, better))) - np.log(np.diag(kernel(x, worse)))
        case.check(f"logratio_{name}", ratio)
    case.waive("not offered", *(key for key in case.arrays if key.startswith("grad_")))
