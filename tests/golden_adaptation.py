"""Adapters of golden files for few-shot adaptation: ProKeR, Tip-Adapter, GDA.

All go through the estimators: the class embeddings are the base, and ``beta (1 - cos)`` of
the published codes is ``gamma |x - y|^2`` with ``gamma = beta / 2`` on unit rows.
"""

import numpy as np
import torch

from skcontrast import ProKeRClassifier, ZeroShotClassifier
from skcontrast.adaptation import tip_adapter_loss


def _base(case):
    T = case.arrays["clip_weights"].T
    return ZeroShotClassifier(T, classes=np.arange(len(T)))


def _logits(model, case):
    model.fit(case.arrays["train_feat"], case.arrays["train_lab"])
    return model.decision_function(case.arrays["test_feat"])


def proker(case):
    """The published factor alpha on the correction, and the textbook form without it."""
    beta, alpha = case.config["beta"], case.config["lmbda"]
    model = ProKeRClassifier(_base(case), method="proker", gamma=beta / 2, alpha=alpha)
    case.check("test_logits", _logits(model, case))
    case.check("alpha", model.dual_coef_)
    case.check("K_SS", model.kernel_(model.X_fit_))
    case.check("K_XS", model.kernel_(case.arrays["test_feat"], model.X_fit_))
    # The textbook minimiser: raw cosines, and no constant.
    model.set_params(scaling="ridge", base_scale=1.0, fit_intercept=False)
    case.check("exact_krr_logits", _logits(model, case))
    for solver in ("nystroem", "cg"):
        model.set_params(solver=solver, tol=1e-12)
        case.check("exact_krr_logits", _logits(model, case))


def tip_adapter(case):
    """Tip-Adapter, and the loss of Tip-Adapter-F with its gradient in the keys."""
    alpha, beta, scale = (case.config[name] for name in ("alpha", "beta", "logit_scale"))
    base = _base(case).set_params(logit_scale=scale)
    model = ProKeRClassifier(base, method="tip", gamma=beta / 2, alpha=alpha)
    case.check("test_logits", _logits(model, case))
    keys, T = case.leaf("train_feat"), case.constant("clip_weights")
    queries, labels = case.constant("val_feat"), case.constant("train_lab")
    values = torch.eye(T.shape[1], dtype=torch.float64)[labels]
    target = case.constant("val_lab")
    loss = tip_adapter_loss(
        keys, values, queries, scale * queries @ T, target, alpha=alpha, beta=beta
    )
    case.check_loss("tipF_loss_valbatch", loss, tipF_grad_keys=keys)


def gda(case):
    """Gaussian discriminant; the reference picks alpha on validation rows, the first best."""
    model = ProKeRClassifier(_base(case), method="gda", base_scale=case.config["logit_scale"])
    X, y = case.arrays["train_feat"], case.arrays["train_lab"]
    rows, labels = case.arrays["val_feat"], case.arrays["val_lab"]
    grid = [10.0**k for k in range(-4, 3)]
    scores = [model.set_params(alpha=alpha).fit(X, y).score(rows, labels) for alpha in grid]
    alpha = grid[int(np.argmax(scores))]
    case.check("alpha", alpha)
    case.check("test_logits", _logits(model.set_params(alpha=alpha), case))
    case.check("mus", model.means_)
    case.check("cov", model.covariance_)
    case.check("W", model.coef_.T)
    case.check("b", model.intercept_)
