"""The estimators that every common test runs on: one literal table."""

import numpy as np
from sklearn.linear_model import Ridge

import skcontrast
from skcontrast.networks import DilatedConv


def with_head(cls, head, encoder, **params):
    """An estimator with a head: of ``params`` each goes to the head or else to its encoder.

    ``head`` and ``encoder`` hold what is not in ``params``.
    """
    names = cls().get_params(deep=False)
    own = {name: value for name, value in params.items() if name in names}
    others = {name: value for name, value in params.items() if name not in names}
    given = skcontrast.ContrastiveEncoder(**{**encoder, **others})
    return cls(**{"encoder": given, **head, **own})


def small_instances():
    """An instance of every exported estimator, cheap enough for hundreds of fits."""
    cheap = {"max_iter": 2, "n_components": 3}
    classes = skcontrast.ContrastiveEncoder(**cheap, objective="supcon")
    numbers = skcontrast.ContrastiveEncoder(**cheap, objective="y_aware")
    seed, tuned = {"random_state": 0}, {"finetune": True, "finetune_iter": 2}
    return [
        skcontrast.ContrastiveEncoder(**cheap, **seed),
        skcontrast.ContrastiveEncoder(**cheap, **seed, objective="supcon"),
        skcontrast.KernelConditionalContrastive(**cheap, **seed),
        skcontrast.KernelConditionalContrastive(**cheap, **seed, mode="hard"),
        skcontrast.SeriesContrastiveEncoder(**cheap, **seed),
        skcontrast.SeriesContrastiveEncoder(**cheap, **seed, network=DilatedConv(8, 2)),
        skcontrast.MultiViewContrastiveEncoder(**cheap, **seed, blocks=[-1, 1]),
        skcontrast.SupervisedContrastiveClassifier(classes, **seed),
        skcontrast.SupervisedContrastiveClassifier(classes, **seed, **tuned),
        skcontrast.SupervisedContrastiveRegressor(numbers, Ridge(), **seed),
        skcontrast.SupervisedContrastiveRegressor(
            numbers, Ridge(), **seed, **tuned, interval="neighbors"
        ),
    ]


def fixed_instances():
    """Transformers whose parameters are no encoder's."""
    cheap = skcontrast.ContrastiveEncoder(3, max_iter=2)
    classes = skcontrast.ContrastiveEncoder(3, max_iter=2, objective="supcon")
    return [
        skcontrast.LabelCredibility(cheap, random_state=0),
        skcontrast.LabelCredibility(classes, cv=2, random_state=0),
        skcontrast.RandomConvolutions(84, random_state=0),
        skcontrast.CanonicalCorrelation(blocks=[-1, 1]),
        skcontrast.SparseCoder(4, 2, max_iter=2, device="cpu", random_state=0),
        skcontrast.ContrastivePCA(),
        skcontrast.CorrelationAlignment(),
        skcontrast.SemanticSignalSeparation(1, random_state=0),
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
        skcontrast.KernelReplayClassifier(n_components=2, n_drawn=10, random_state=0),
    ]


def detector_instances():
    """Detectors of anomalies: tests/test_anomaly.py has their common tests."""
    cheap = skcontrast.ContrastiveEncoder(3, max_iter=2)
    return [
        skcontrast.ContrastiveAnomalyDetector(cheap, random_state=0),
        skcontrast.ContrastiveAnomalyDetector(
            cheap, outliers="permuted", contamination=0.1, random_state=0
        ),
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
