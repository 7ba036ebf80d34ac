"""CanonicalCorrelation: the closed form that a trained shared space is compared with."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skcontrast._canonical import Products, best_regularization, products_by_row, unit_rows
from skcontrast._component import Integral, Interval, Real, StrOptions, check_parameters
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.block_input import BlocksInput
from skcontrast._typing import ArrayLike, RowsLike, Self
from skcontrast.multiview._pairs import SharedSpace, filled


class CanonicalCorrelation(SharedSpace, ColumnsOfInput, TransformerMixin, BaseEstimator):
    r"""Directions of two or more blocks that correlate, by one eigendecomposition.

    Each block is standardised, and with its covariance shrunk by r its directions are those that
    correlate most with the directions of the others (of more than two blocks: MAXVAR),

    .. math:: R_v = (1 - r) C_{vv} + r \frac{\mathrm{tr} C_{vv}}{p_v} I, \qquad
        R_a^{-1/2} C_{ab} R_b^{-1/2} = U \mathrm{diag}(\rho) V^\top, \qquad
        z^a = X_a R_a^{-1/2} U \, \mathrm{diag}(\rho^w)

    and rows are then brought to unit length, so that products are cosines. Rows that lack a block
    count for the covariances of those that they have.

    Parameters
    ----------
    n_components : int, default=None
        Width of the shared space. None is as many as the second widest block has columns, at most
        100.

    blocks : dict, list, "prefix" or None, default=None
        Which columns of a table are which block; as in
        :class:`skcontrast.multiview.MultiViewContrastiveEncoder`.

    regularization : float or "auto", default=0.1
        Share r of the mean variance in each covariance, in [0, 1]. "auto" takes of 0.001, 0.01,
        0.1, 0.3 and 0.6 the one by which the partners of held-out rows are found best.

    weighting : float, default=1.0
        Power w of a direction's correlation that it is weighed by; 0 weighs all alike.

    Attributes
    ----------
    correlations_ : ndarray of shape (n_components_,)
        Correlation of each direction, shrunk as the covariances are.

    maps_ : dict of str to ndarray of shape (n_columns, n_components_)
        Directions of each block, of its standardised columns.

    offsets_ : dict of str to ndarray of shape (n_components_,)

    regularization_ : float
        The share that was taken.

    width_ : int
        Width of the shared space.

    n_components_ : int
        Number of columns of :meth:`transform`.

    input_ : object
        What reads the blocks; with ``inputs_``, what reads each, and ``n_pairs_``, how many rows
        have both of two blocks.

    n_features_in_ : int
        Number of columns of X, where it was one table.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, when all are strings.

    See Also
    --------
    skcontrast.multiview.MultiViewContrastiveEncoder : Networks that start from these directions.
    sklearn.cross_decomposition.CCA : Of two blocks, one direction after the other.

    Notes
    -----
    Of a block with more than 300 columns the leading 300 principal axes are taken. Sparse blocks
    stay sparse. Texts are brought to numbers first, such as by a TfidfVectorizer.

    References
    ----------
    Hotelling, "Relations between two sets of variates", Biometrika 28, 1936. Kettenring,
    "Canonical analysis of several sets of variables", Biometrika 58, 1971. Vinod, "Canonical
    ridge and econometrics of joint production", Journal of Econometrics 4, 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.multiview import CanonicalCorrelation
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(200, 2))
    >>> A = np.hstack([shared, rng.normal(size=(200, 3))])
    >>> B = np.hstack([shared @ rng.normal(size=(2, 2)), rng.normal(size=(200, 2))])
    >>> model = CanonicalCorrelation(2, blocks=[5, 4], regularization=0.0).fit(np.hstack([A, B]))
    >>> model.correlations_.round(3)
    array([1., 1.])
    >>> model.similarity({"block0": A[:3]}, {"block1": B}).argmax(axis=1)
    array([0, 1, 2])
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "blocks": BlocksInput._parameter_constraints["blocks"],
        "regularization": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "weighting": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        blocks: dict | list | tuple | Literal["prefix"] | None = None,
        regularization: float | Literal["auto"] = 0.1,
        weighting: float = 1.0,
    ):
        self.n_components = n_components
        self.blocks = blocks
        self.regularization = regularization
        self.weighting = weighting

    def fit(self: Self, X: RowsLike, y: ArrayLike | None = None) -> Self:
        """Find the directions.

        Parameters
        ----------
        X : table of shape (n_samples, n_features), or Blocks
            One table with ``blocks``, or :class:`skcontrast.multiview.Blocks`.

        y : default=None
            Not used.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        source = BlocksInput(type(self).__name__, self.blocks)
        checked = source.fit(X)
        for name, kind, _ in source.layout:
            if kind != "numbers":
                raise ValueError(
                    f"Block {name!r} holds texts: make numbers of them first, such as by "
                    "TfidfVectorizer, or use MultiViewContrastiveEncoder."
                )
        parts, present = self._standardized(source, checked), checked.present
        most = self._most(source, checked)
        r = self.regularization
        if r == "auto":
            r = best_regularization(parts, present, most, self.weighting)
        products = Products(parts, present)
        for name, axes in zip(source.names, products.axes):
            if not len(axes.variances):
                raise ValueError(
                    f"Block {name!r} is the same in all rows that have it: leave it out."
                )
        maps = products.maps(float(r), most, self.weighting)
        if self.n_components is not None and len(maps.correlations) < most:
            raise ValueError(
                f"n_components={most}, but the blocks have {len(maps.correlations)} directions in "
                f"common at most: type n_components={len(maps.correlations)} or None."
            )
        self.input_, self.regularization_ = source, float(r)
        self.correlations_ = maps.correlations
        self.maps_ = dict(zip(source.names, maps.weights))
        self.offsets_ = dict(zip(source.names, maps.offsets))
        self.width_ = len(maps.correlations)
        self.n_components_ = self.width_ * len(source.names)
        return self

    def _most(self, source, checked):
        """Width that is asked for; raise where two blocks never meet."""
        _check_pairs(source)
        return 100 if self.n_components is None else int(self.n_components)

    def _standardized(self, source, X):
        return [part.standardized(X.blocks[name]) for name, part in source.inputs_.items()]

    def transform(self, X: RowsLike) -> np.ndarray:
        """Bring rows into the shared space, block beside block.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components_)
            Unit rows of each block; of one that a row lacks, the mean of those that it has.
        """
        check_is_fitted(self, "maps_")
        X = self.input_.read(X)
        Z = filled(self._slots(X), X.present)
        return np.hstack(list(Z)).astype(X.dtype, copy=False)

    def _slots(self, X):
        return np.array([self._of_block(block, name) for name, block in X.blocks.items()])

    def _of_block(self, X, name):
        S = self.input_.inputs_[name].standardized(X)
        Z = unit_rows(products_by_row(S, self.maps_[name]) + self.offsets_[name])
        return Z.astype(np.float32 if X.dtype == np.float32 else np.float64)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the columns: the block and a number.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; they have to be those of the fit.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self, "maps_")
        if input_features is not None:
            self.input_.get_feature_names_out(input_features)
        return np.array(self._block_columns(self.n_components_), dtype=object)

    @property
    def n_pairs_(self) -> np.ndarray:
        """Rows of the fit that have both of two blocks: (n_blocks, n_blocks)."""
        return self.input_.n_pairs_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_pairs(source):
    """Raise where a block has no row in common with any other."""
    pairs = source.n_pairs_ - np.diag(np.diag(source.n_pairs_))
    for name, counts in zip(source.names, pairs):
        if counts.max() < 2:
            raise ValueError(
                f"Block {name!r} has no two rows in common with any other block: leave it out, or "
                "pass rows that have both."
            )
