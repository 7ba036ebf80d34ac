"""The estimators that every common test runs on: one literal table."""

import numpy as np
from sklearn.linear_model import Ridge

import skcontrast


def small_instances():
    """An instance of every exported estimator, cheap enough for hundreds of fits."""
    cheap = {"max_iter": 2, "n_components": 3, "random_state": 0}
    return [
        skcontrast.ContrastiveEncoder(**cheap),
        skcontrast.ContrastiveEncoder(**cheap, objective="supcon"),
        skcontrast.KernelConditionalContrastive(**cheap),
        skcontrast.KernelConditionalContrastive(**cheap, mode="hard"),
        skcontrast.SupervisedContrastiveClassifier(**cheap),
        skcontrast.SupervisedContrastiveClassifier(**cheap, finetune=True, finetune_iter=2),
        skcontrast.SupervisedContrastiveRegressor(**cheap, regressor=Ridge()),
        skcontrast.SupervisedContrastiveRegressor(
            **cheap, regressor=Ridge(), finetune=True, finetune_iter=2, interval="neighbors"
        ),
    ]


def adapter_instances():
    """The closed-form estimators: tests/test_adaptation.py has their common tests."""
    return [
        skcontrast.ProKeRClassifier(),
        skcontrast.ProKeRClassifier(method="proker"),
        skcontrast.ProKeRClassifier(method="tip"),
        skcontrast.ProKeRClassifier(method="nadaraya_watson"),
        skcontrast.ProKeRClassifier(method="local_linear"),
        skcontrast.ProKeRClassifier(method="gda"),
        skcontrast.ProKeRRegressor(),
        skcontrast.ZeroShotClassifier(),
    ]


def exported_estimators():
    """Every public class with ``fit``."""
    public = [getattr(skcontrast, name) for name in skcontrast.__all__]
    return [cls for cls in public if isinstance(cls, type) and hasattr(cls, "fit")]


def blobs(n=60, n_features=5, seed=0, dtype=np.float64):
    """Three noisy groups of rows, and which group each is in."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = 3 * rng.standard_normal((3, n_features))[y] + rng.standard_normal((n, n_features))
    return X.astype(dtype), y
