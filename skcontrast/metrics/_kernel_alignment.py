"""Centred kernel alignment: whether two embeddings say the same about which rows are alike."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement, product
from typing import Literal

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    BLOCK,
    blocks,
    centred,
    check_pair,
    check_positive,
)

# Names of kernels, as in sklearn.metrics.pairwise.
KERNELS = "linear", "rbf", "laplacian", "poly", "cosine"
# A kernel varies when its centred square is above this share of the square itself.
ROUNDING = 1e-13


def linear_cka(X: ArrayLike, Y: ArrayLike, *, block_size: int = BLOCK) -> float:
    r"""Centred kernel alignment of two tables with linear kernels, from their columns.

    .. math::
        \frac{\lVert Y_c^\top X_c \rVert_F^2}
             {\lVert X_c^\top X_c \rVert_F \, \lVert Y_c^\top Y_c \rVert_F}

    with the columns centred. It is 1 for tables that are equal up to a rotation, a shift and
    one scale, and does not ask how wide they are. :func:`cka` with ``kernel="linear"`` gives
    the same from the rows, in time that grows with the square of their number.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        One representation of the rows.

    Y : array-like of shape (n_samples, n_features_y)
        Another representation of the same rows.

    block_size : int, default=1024
        Columns of a tile. The memory is O(n d + block_size²).

    Returns
    -------
    cka : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        For fewer than two rows, NaN, tables of different length, or equal rows alone.

    References
    ----------
    Kornblith et al., "Similarity of neural network representations revisited", ICML 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.metrics import linear_cka
    >>> X = np.array([[0.0, 1.0], [2.0, 0.0], [3.0, 5.0], [4.0, 4.0]])
    >>> round(linear_cka(X, 3 * X[:, ::-1] + 1), 6)
    1.0
    """
    size = check_count(block_size, "block_size")
    X, Y = check_pair(X, Y, ("X", "Y"), same_width=False)
    X, Y = (table / np.abs(table).max() for table in (centred(X, "X"), centred(Y, "Y")))
    both = _squared_product(X, Y, size)
    return _ratio(both, _squared_product(X, X, size), _squared_product(Y, Y, size))


def cka(
    X: ArrayLike,
    Y: ArrayLike,
    kernel: Literal["linear", "rbf", "laplacian", "poly", "cosine"] | Callable = "linear",
    *,
    gamma: float | None = None,
    unbiased: bool = False,
    block_size: int = BLOCK,
) -> float:
    r"""Centred kernel alignment of two representations of the same rows.

    .. math::
        \mathrm{CKA} = \frac{\mathrm{HSIC}(K, L)}
            {\sqrt{\mathrm{HSIC}(K, K)\, \mathrm{HSIC}(L, L)}}, \qquad
        \mathrm{HSIC}(K, L) = \frac{\mathrm{tr}(K H L H)}{(n - 1)^2}, \qquad
        H = I - \frac{1}{n} 1 1^\top

    with :math:`K_{ij} = k(x_i, x_j)` and :math:`L_{ij} = k(y_i, y_j)`. The traces are added
    up over tiles, and no table of all pairs is made. With few rows and many columns any two
    tables look alike; ``unbiased=True`` takes instead, with the diagonals of K and L set to 0,

    .. math::
        \mathrm{HSIC}(K, L) = \frac{1}{n (n - 3)} \left[ \mathrm{tr}(K L)
            + \frac{1^\top K 1 \; 1^\top L 1}{(n - 1)(n - 2)}
            - \frac{2}{n - 2} 1^\top K L 1 \right]

    whose mean is 0 for unrelated tables.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        One representation of the rows.

    Y : array-like of shape (n_samples, n_features_y)
        Another representation of the same rows.

    kernel : {"linear", "rbf", "laplacian", "poly", "cosine"} or callable, default="linear"
        Kernel, as in :func:`sklearn.metrics.pairwise.pairwise_kernels`, or a symmetric function
        that takes two blocks of rows, (n, d) and (m, d), and gives a table (n, m).

    gamma : float, default=None
        Of "rbf", "laplacian" and "poly"; None is one over the mean squared distance of two
        rows, for each of the two tables.

    unbiased : bool, default=False
        Whether to take the unbiased form, which needs four rows.

    block_size : int, default=1024
        Rows of a tile. The memory is O(n d + block_size²).

    Returns
    -------
    cka : float
        Between 0 and 1, or between -1 and 1 with ``unbiased=True``.

    Raises
    ------
    ValueError
        For too few rows, NaN, tables of different length, equal rows alone, or a kernel that
        is not known or gives a table of another shape.

    References
    ----------
    Kornblith et al., "Similarity of neural network representations revisited", ICML 2019. Song
    et al., "Feature selection via dependence maximization", JMLR 13 (2012), for the unbiased
    form, and Nguyen et al., "Do wide and deep networks learn the same things?", ICLR 2021, for
    its use here.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.metrics import cka
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(20, 100)), rng.normal(size=(20, 100))  # unrelated
    >>> round(cka(X, Y), 2), round(cka(X, Y, unbiased=True), 2)
    (0.82, -0.01)
    >>> round(cka(X, 2 * X, "rbf"), 6)
    1.0
    """
    size = check_count(block_size, "block_size")
    X, Y = check_pair(X, Y, ("X", "Y"), n_least=4 if unbiased else 2, same_width=False)
    kernels = [_kernel(kernel, gamma, table, name) for table, name in ((X, "X"), (Y, "Y"))]
    n = len(X)
    pairs = ((0, 0), (1, 1), (0, 1))
    products = np.zeros(3)  # sums of K K, L L and K L
    row_sums = np.zeros((2, n))
    for rows, columns in combinations_with_replacement(blocks(n, size), 2):
        tiles = [k(rows, columns) for k in kernels]
        own = rows == columns
        if unbiased and own:
            for tile in tiles:
                np.fill_diagonal(tile, 0.0)
        row_sums[:, rows] += [tile.sum(axis=1) for tile in tiles]
        if not own:  # the tile on the other side of the diagonal
            row_sums[:, columns] += [tile.sum(axis=0) for tile in tiles]
        products += [(1 if own else 2) * np.vdot(tiles[i], tiles[j]) for i, j in pairs]
    centre = _unbiased if unbiased else _biased
    kk, ll, kl = (centre(p, row_sums[i], row_sums[j]) for p, (i, j) in zip(products, pairs))
    for value, square, name in ((kk, products[0], "X"), (ll, products[1], "Y")):
        if not value > ROUNDING * square:
            raise ValueError(
                f"the kernel is the same for all pairs of rows of {name}: pass rows that differ."
            )
    return _ratio(kl, kk, ll, least=-1.0 if unbiased else 0.0)


def _biased(trace, sums_k, sums_l):
    """Trace of K H L H, from the sum of K L and the row sums."""
    n = len(sums_k)
    return trace - 2 * (sums_k @ sums_l) / n + sums_k.sum() * sums_l.sum() / n**2


def _unbiased(trace, sums_k, sums_l):
    """Give n (n - 3) times the unbiased form, of tables with zeros on the diagonal."""
    n = len(sums_k)
    both = sums_k.sum() * sums_l.sum() / ((n - 1) * (n - 2))
    return trace + both - 2 * (sums_k @ sums_l) / (n - 2)


def _ratio(both, x, y, least=0.0):
    return float(np.clip(both / np.sqrt(x) / np.sqrt(y), least, 1.0))


def _squared_product(X, Y, size):
    """Squared Frobenius norm of X^T Y, by tiles of columns."""
    tiles = product(blocks(X.shape[1], size), blocks(Y.shape[1], size))
    return sum(np.square(X[:, first].T @ Y[:, second]).sum() for first, second in tiles)


def _kernel(kernel, gamma, X, name):
    """Function of two slices that gives a tile of the kernel of X."""
    if callable(kernel):
        return lambda rows, columns: _tile_of(kernel, X[rows], X[columns])
    if not isinstance(kernel, str) or kernel not in KERNELS:
        accepted = ", ".join(repr(option) for option in KERNELS)
        raise ValueError(f"kernel={kernel!r}: type one of {accepted}, or pass a function.")
    settings, moved = {}, centred(X, name)
    if kernel == "linear":
        X = moved / np.abs(moved).max()  # the sums lose no digits to the mean
    if kernel in ("rbf", "laplacian"):
        X = moved
    if kernel in ("rbf", "laplacian", "poly"):
        settings["gamma"] = _width(moved, name) if gamma is None else check_positive(gamma, "gamma")
    elif gamma is not None:
        raise ValueError(f"gamma={gamma!r} has no meaning for kernel={kernel!r}: leave it out.")
    return lambda rows, columns: pairwise_kernels(X[rows], X[columns], kernel, **settings)


def _width(X, name):
    """One over the mean squared distance of two rows, of a centred table."""
    variance = np.square(X).mean(axis=0).sum()
    if not 0 < variance < np.inf:
        raise ValueError(
            f"the squared distances of the rows of {name} are {2 * variance:.3g} in the mean: "
            "pass rows that differ by ordinary numbers."
        )
    return 1 / (2 * variance)


def _tile_of(kernel, a, b):
    tile = np.array(kernel(a, b), dtype=np.float64)
    if tile.shape != (len(a), len(b)):
        raise ValueError(
            f"kernel gave a table of shape {tile.shape} for blocks of {len(a)} and {len(b)} rows: "
            f"it must be of shape {(len(a), len(b))}."
        )
    if not np.isfinite(tile).all():
        raise ValueError("kernel gave NaN or infinity: pass another one, or other rows.")
    return tile
