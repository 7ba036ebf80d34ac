"""Blocks of a row that are of different rows: losses, classes that disagree, other partners."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast._clusters import cluster_means, find_centers, nearest_center
from skcontrast._component import check_count
from skcontrast._inputs.blocks import Blocks, check_name
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import check_numbers, check_table

# Temperature of the losses, and rows of a tile of similarities.
TEMPERATURE, TILE = 0.1, 1024
# Epochs of the classifier, whose predictions may waver between them.
N_EPOCHS = 10


def pair_losses(Z, present):
    """Contrastive loss of the blocks of each row against those of all rows: (n,).

    Of embeddings (V, n, d); the mean over ordered pairs of blocks that the row has, NaN where it
    has one alone.
    """

    def loss(a, b, both, there):
        out, first, others = np.empty(len(both)), Z[a, both], Z[b, there]
        for start in range(0, len(both), TILE):
            part = slice(start, start + TILE)
            total = logsumexp(first[part] @ others.T / TEMPERATURE, axis=1)
            own = (first[part] * Z[b, both[part]]).sum(axis=1) / TEMPERATURE
            out[part] = total - own
        return out

    return _over_pairs(loss, present)


def class_losses(known, known_present, Z, present, n_classes, seed):
    """How little a classifier of one block believes in the cluster of the other: (n,).

    Clusters are of the rows ``known`` (V, m, d), which train the classifier, and predictions of
    other rows (V, n, d). The mean over epochs: a prediction that wavers counts as wrong in part.
    """

    def loss(a, b, both, there):
        kept = known_present[a] & known_present[b]
        centers = find_centers(known[b, known_present[b]], n_classes, seed)
        classes = np.arange(len(centers))
        if len(classes) < 2:
            return np.zeros(len(both))
        own = nearest_center(Z[b, both], centers)
        given = nearest_center(known[b, kept], centers)
        model = SGDClassifier(loss="log_loss", alpha=1e-3, random_state=seed)
        believed = np.zeros(len(both))
        for _ in range(N_EPOCHS):
            model.partial_fit(known[a, kept], given, classes=classes)
            believed += model.predict_proba(Z[a, both])[np.arange(len(both)), own]
        return 1 - believed / N_EPOCHS

    return _over_pairs(loss, present)


def _over_pairs(loss, present):
    """Mean over ordered pairs of blocks of ``loss(a, b, rows with both, rows with b)``."""
    total, n_pairs = np.zeros(present.shape[1]), np.zeros(present.shape[1])
    for a in range(len(present)):
        for b in range(len(present)):
            both = np.flatnonzero(present[a] & present[b])
            if a != b and len(both) > 1:
                total[both] += loss(a, b, both, np.flatnonzero(present[b]))
                n_pairs[both] += 1
    return np.where(n_pairs > 0, total / np.maximum(n_pairs, 1), np.nan)


def small_loss_probability(losses):
    """Probability that each loss is of the lower one of two normal distributions."""
    losses = losses[:, None]
    model = GaussianMixture(2, n_init=3, random_state=0).fit(losses)
    low, high = np.argsort(model.means_[:, 0])
    # Beyond the means, the wider distribution would claim both ends.
    inside = np.clip(losses, model.means_[low], model.means_[high])
    return model.predict_proba(inside)[:, low]


def pseudo_partners(
    X: Blocks,
    credibility: ArrayLike,
    block: str,
    *,
    threshold: float = 0.5,
    n_classes: int = 20,
) -> Blocks:
    r"""Put other values in a block of the rows whose pair is not sure: the likely class's mean.

    The block of the sure rows is clustered, and of the other blocks a classifier learns the
    cluster. A row that is not sure gets

    .. math:: \tilde b_i = \sum_c p(c \mid a_i) \, \bar b_c

    with the means :math:`\bar b_c` of the clusters. Its own partner may belong to another row;
    this one does not tell rows of a cluster apart.

    Parameters
    ----------
    X : Blocks
        Tables of numbers.

    credibility : array-like of shape (n_samples,)
        As :func:`pair_credibility` gives it.

    block : str
        Name of the block whose values are doubted.

    threshold : float, default=0.5
        Rows with a credibility above it are sure.

    n_classes : int, default=20
        Number of clusters.

    Returns
    -------
    X : Blocks
        The same rows, with other values in some of them.

    Raises
    ------
    ValueError
        For blocks that are no tables of numbers, or fewer than two sure rows.

    References
    ----------
    Duan et al., "PC²: pseudo-classification based pseudo-captioning for noisy correspondence
    learning in cross-modal retrieval", ACM MM 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.multiview import Blocks, pseudo_partners
    >>> A = np.repeat([[0.0], [5.0]], 50, axis=0)
    >>> B = A + 1
    >>> B[99] = -3.0  # what belongs to another row
    >>> sure = np.arange(100) != 99
    >>> pseudo_partners(Blocks(a=A, b=B), sure, "b", n_classes=2)["b"][99].round()
    array([6.])
    """
    if not isinstance(X, Blocks) or len(X.names) < 2:
        raise ValueError("X holds no two blocks: type Blocks(a=A, b=B).")
    check_name(block, X.names, "block=")
    tables = {name: check_table(X[name], f"X[{name!r}]") for name in X.names}
    sure = check_numbers(credibility, "credibility")
    if sure.shape != (len(X),):
        raise ValueError(
            f"credibility has the shape {sure.shape}: pass one number for each of {len(X)} rows."
        )
    sure = sure > threshold
    target = tables.pop(block)
    if sure.sum() < 2:
        raise ValueError(f"threshold={threshold} leaves {sure.sum()} sure rows: type a lower one.")
    scaled = StandardScaler().fit_transform(target[sure])
    classes = nearest_center(scaled, find_centers(scaled, check_count(n_classes, "n_classes"), 0))
    _, classes = np.unique(classes, return_inverse=True)
    means = cluster_means(target[sure], classes)
    doubtful, others = ~sure, np.hstack(list(tables.values()))
    target = target.copy()
    if len(means) < 2:
        target[doubtful] = means[0]
    elif doubtful.any():
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        target[doubtful] = model.fit(others[sure], classes).predict_proba(others[doubtful]) @ means
    named = {name: target if name == block else X[name] for name in X.names}
    return Blocks(present=X.present, **named)
