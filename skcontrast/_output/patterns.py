"""Local patterns of columns that lie beside each other: points of a series, pixels."""

import numpy as np
import torch
from sklearn.base import BaseEstimator

from skcontrast.functional._rows import tensor_of

# Fewer columns have no neighbourhood to speak of.
LEAST_COLUMNS = 24
# Neighbouring columns correlate at least so, and leave at most this share of what columns
# at random places leave unexplained.
LEAST_CORRELATION, MOST_UNEXPLAINED = 0.5, 0.6
# At most so many pairs of neighbours correlate by less than a third of the mean: columns in
# groups, such as three readings of each of ten things, are no series.
MOST_BREAKS = 0.15
# Pixels one above the other correlate nearly as pixels side by side do.
ALIKE = 0.9
MOST_ROWS = 1000
N_PATTERNS = {1: 512, 2: 128}
SHAPE = {1: (1, 9), 2: (5, 5)}
# An image is looked at in so many rows and columns of fields, a series as a whole.
FIELDS = {1: (1, 1), 2: (3, 3)}
BLOCK = 64


def layout(S):
    """How columns lie beside each other, judged by their correlations.

    Parameters
    ----------
    S : ndarray of shape (n_samples, n_columns)
        Columns with mean zero.

    Returns
    -------
    shape : tuple (height, width) or None
        (1, n_columns) for a series, None for columns in no order.
    """
    n_columns = S.shape[1]
    if n_columns < LEAST_COLUMNS:
        return None
    S = S[:MOST_ROWS]
    deviation = S.std(axis=0)
    varies = deviation > 0
    if varies.mean() < 0.5:
        return None
    Z = np.zeros(S.shape)
    Z[:, varies] = (S[:, varies] - S[:, varies].mean(axis=0)) / deviation[varies]

    def correlation(lag):
        both = varies[lag:] & varies[:-lag]
        return np.vdot(Z[:, lag:], Z[:, :-lag]) / len(Z) / max(both.sum(), 1)

    both = varies[1:] & varies[:-1]
    pairs = (Z[:, 1:] * Z[:, :-1]).mean(axis=0)[both]
    near = pairs.mean() if len(pairs) else 0.0
    # Over all pairs: the squared mean of a row is the mean of its products.
    far = np.mean(Z.sum(axis=1) ** 2) / varies.sum() ** 2
    if near < LEAST_CORRELATION or 1 - near > MOST_UNEXPLAINED * (1 - far):
        return None
    if np.mean(pairs < near / 3) > MOST_BREAKS:
        return None
    widths = [w for w in range(5, n_columns // 5 + 1) if n_columns % w == 0]
    width = max(widths, key=correlation, default=None)
    if width is None or correlation(width) < ALIKE * near:
        return 1, n_columns
    peak = correlation(width) > max(correlation(width - 1), correlation(width + 1))
    return (n_columns // width, width) if peak else (1, n_columns)


def quantiles(values, levels):
    """One quantile of what each kernel gave, (n, n_kernels, height, width) -> (n_kernels,)."""
    by_kernel = np.moveaxis(values, 1, 0).reshape(len(levels), -1)
    return [np.quantile(v, q) for v, q in zip(by_kernel, levels)]


class Patterns(BaseEstimator):
    r"""How often random patterns occur in a row whose columns are a series or an image.

    .. math:: r_{jf}(x) = \frac{1}{|f|} \sum_{t \in f} [\, (w_j * x)_t > b_j \,]

    with random kernels :math:`w_j` of sum zero at several dilations, and thresholds
    :math:`b_j` at random quantiles of what they give. The fields f are the whole series, or
    three by three parts of an image. A row x is read as it was before its columns were
    standardised, which would take its shape away, and brought to mean zero and unit variance.

    Parameters
    ----------
    height, width : int
        How the columns lie, from :func:`layout`.

    Attributes
    ----------
    dilations_ : ndarray of shape (n_dilations,)

    kernels_ : ndarray of shape (n_dilations, n_kernels, 1, kernel_height, kernel_width)

    thresholds_ : ndarray of shape (n_dilations, n_kernels)

    mean_, scale_ : ndarray of shape (n_patterns,)
        Of the shares, which are standardised.

    column_means_, column_scales_ : ndarray of shape (n_columns,) or None
        What a standardised row becomes the row of before by, up to a factor that all columns
        share.

    References
    ----------
    Dempster, Petitjean and Webb, "ROCKET: exceptionally fast and accurate time series
    classification using random convolutional kernels", Data Mining and Knowledge
    Discovery 34 (2020).
    """

    def __init__(self, height, width):
        self.height = height
        self.width = width

    @property
    def _n_axes(self):
        return 1 if self.height == 1 else 2

    def fit(self, S, rng, mean=None, scale=None):
        """Draw patterns of standardised rows, with the means and scales of their columns."""
        self.column_means_ = self.column_scales_ = None
        if scale is not None:
            largest = scale.max()
            self.column_means_, self.column_scales_ = mean / largest, scale / largest
        n_axes, extent = self._n_axes, self.width
        if n_axes == 2:
            extent = min(self.height, self.width)
        shape = SHAPE[n_axes]
        n_dilations = 1 + int(np.log2(max((extent - 1) / (shape[1] - 1), 1.0)))
        if n_axes == 2:  # an image is mostly border to a kernel as wide as itself
            n_dilations = max(1, n_dilations - 1)
        self.dilations_ = 2 ** np.arange(n_dilations)
        n_kernels = -(-N_PATTERNS[n_axes] // n_dilations)
        kernels = rng.standard_normal((n_dilations, n_kernels, 1, *shape))
        kernels -= kernels.mean(axis=(3, 4), keepdims=True)
        self.kernels_ = kernels.astype(np.float32)
        sample = S[np.sort(rng.permutation(len(S))[:BLOCK])]
        levels = rng.random((n_dilations, n_kernels))
        self.thresholds_ = np.array(
            [quantiles(out.numpy(), q) for out, q in zip(self._convolved(sample), levels)],
            dtype=np.float32,
        )
        shares = self._shares(S)
        self.mean_ = shares.mean(axis=0)
        self.scale_ = shares.std(axis=0) + 1e-3  # of a pattern that hardly ever changes
        return self

    def _convolved(self, S):
        """What the kernels of each dilation give, (n, n_kernels, height, width)."""
        # Folders of earlier versions hold patterns of standardised rows.
        if vars(self).get("column_scales_") is not None:
            S = S * self.column_scales_ + self.column_means_
        S = S - S.mean(axis=1, keepdims=True)
        S = S / np.maximum(S.std(axis=1, keepdims=True), 1e-8)
        x = torch.from_numpy(S.astype(np.float32)).reshape(-1, 1, self.height, self.width)
        for dilation, kernels in zip(self.dilations_.tolist(), self.kernels_):
            padding = [dilation * (side // 2) for side in kernels.shape[2:]]
            yield torch.conv2d(x, tensor_of(kernels), dilation=dilation, padding=padding)

    def _shares(self, S):
        fields, shares = FIELDS[self._n_axes], []
        for start in range(0, len(S), BLOCK):
            rows = S[start : start + BLOCK]
            # Always as many, so that a row's shares do not depend on how many come with it.
            block = np.zeros((BLOCK, S.shape[1]))
            block[: len(rows)] = rows
            parts = []
            for out, thresholds in zip(self._convolved(block), self.thresholds_):
                found = (out > tensor_of(thresholds)[:, None, None]).float()
                parts.append(torch.nn.functional.adaptive_avg_pool2d(found, fields).flatten(1))
            shares.append(torch.cat(parts, dim=1)[: len(rows)].numpy())
        return np.concatenate(shares).astype(np.float64)

    def transform(self, S):
        return (self._shares(S) - self.mean_) / self.scale_
