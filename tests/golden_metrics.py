"""Adapters of golden files for the measures of an embedding."""

import numpy as np
from golden_postprocessing import reduced
from scipy import stats

from skcontrast.metrics import (
    covariance_spectrum,
    effective_rank,
    hubness,
    k_occurrence,
    tolerance,
    uniformity,
)

# Names in scikit-hubness.
HUBNESS = {
    "k_skewness_scipy": "skewness",
    "robinhood": "robin_hood",
    "gini": "gini",
    "atkinson": "atkinson",
    "antihub_occurrence": "antihub",
    "hub_occurrence": "hub",
}
GIVEN = ("X_train", "X_test", "n_neighbors", "train_dist", "train_ind", "test_dist", "test_ind")


def metrics(case):
    """Uniformity in tiles, both forms of the tolerance and of the rank, the spectrum."""
    z, labels = case.arrays["z"], case.arrays["labels"]
    for block_size in (3, 1024):
        case.check("uniformity", uniformity(z, case.number("t"), block_size=block_size))
    case.check("rankme", effective_rank(z, eps=case.number("rankme_eps")))
    case.check("effective_rank_no_eps", effective_rank(z))
    case.check("tolerance_distinct_same_class_pairs", tolerance(z, labels))
    case.check("tolerance_paper_form_all_pairs", tolerance(z, labels, pairs="all"))
    case.check("normalised_cov_eigenvalues_ascending", covariance_spectrum(z)[::-1])
    forgotten = set(case.arrays) - case.compared - {"z", "labels", "t", "rankme_eps"}
    assert not forgotten, f"{case.name}: not compared: {forgotten}"


def hubs(case):
    """The k-occurrences and every score of them, and what reduces hubs."""
    X, k = case.arrays["X_train"], case.number("n_neighbors")
    occurrence = k_occurrence(X, k)
    case.check("k_occurrence_train", occurrence)
    case.check("antihubs", np.flatnonzero(occurrence == 0))
    case.check("hubs", np.flatnonzero(occurrence >= 2 * k))
    for key, score in HUBNESS.items():
        case.check(key, hubness(X, k, score=score))
    # Follows from mean and deviation alone, so it is no score of ours.
    mean, deviation = occurrence.mean(), occurrence.std(ddof=1)
    cut = stats.truncnorm((0 - mean) / deviation, (np.iinfo(np.int64).max - mean) / deviation)
    case.check("skew_truncnorm", cut.moment(3))
    reduced(case)
    forgotten = set(case.arrays) - case.compared - set(case.waived) - set(GIVEN)
    assert not forgotten, f"{case.name}: not compared: {forgotten}"
