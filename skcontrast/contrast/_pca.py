"""ContrastivePCA: directions in which rows vary more than a background does."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.linalg import LinAlgError
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils.validation import check_is_fitted

from skcontrast._arrays import refuse_masked
from skcontrast._canonical import products_by_row
from skcontrast._component import (
    Integral,
    Interval,
    Real,
    StrOptions,
    check_parameters,
    warn,
)
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.columns import first_line
from skcontrast._inputs.table import TableInput
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, RowsLike, Self
from skcontrast.contrast._directions import candidates, divided, spread, subtracted
from skcontrast.contrast._tables import numbers


class ContrastivePCA(
    ColumnsOfInput, ClassNamePrefixFeaturesOutMixin, OnSite, TransformerMixin, BaseEstimator
):
    r"""Directions in which rows vary more than a background does.

    With the covariances :math:`C_F` of the foreground, the rows to look at, and :math:`C_B` of
    the background, each about its own mean, the components are eigenvectors of the largest
    eigenvalues,

    .. math:: (C_F - \alpha C_B)\, v = \lambda v \qquad \text{or} \qquad
        C_F v = w \left((1 - s) C_B + s \, \frac{\mathrm{tr} C_B}{d} I\right) v

    the second with ``contrast="ratio"``, and :math:`z = (x - \bar x_F) V`. What both sets vary in,
    such as age or the light of a picture, is left out; what only the foreground varies in, such as
    two kinds of patients that no label tells, comes to the fore. With alpha 0 it is PCA.

    Parameters
    ----------
    n_components : int, default=2
        Number of components.

    contrast : "auto", "ratio" or float, default="auto"
        How much variance in the background counts against a direction: alpha. "auto" takes the
        smallest of ``candidate_contrasts_``. "ratio" needs no number.

    shrinkage : float or "auto", default="auto"
        Share s of the mean variance in the covariance of the background, in [0, 1], for
        ``contrast="ratio"``. "auto" is the share of Ledoit and Wolf.

    standardize : bool, default=True
        Whether columns are divided by their standard deviation in the foreground, those of the
        background too.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features_in_)
        Directions of length one, of the scaled columns. Of each the largest entry is positive.

    mean_ : ndarray of shape (n_features_in_,)
        Mean of the foreground.

    scale_ : ndarray of shape (n_features_in_,) or None
        What columns are divided by.

    contrast_ : float or "ratio"
        The contrast that was taken; 0 without a background.

    candidate_contrasts_ : ndarray of shape (n_candidates,)
        With ``contrast="auto"``, contrasts that show the foreground in different ways, rising;
        else the one that was given. Empty for "ratio" and without a background.

    eigenvalues_ : ndarray of shape (n_components,)
        The eigenvalues lambda or w, falling.

    contrast_index_ : ndarray of shape (n_components,)
        (f - b) / (f + b), with the variances f of the foreground and b of the background along a
        component: 1 where only the foreground varies, 0 where both do alike, -1 where only the
        background does.

    shrinkage_ : float or None
        The share that was taken, for "ratio".

    input_ : object
        What reads tables.

    n_features_in_ : int
        Number of columns of X.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, when all are strings.

    See Also
    --------
    skcontrast.objectives.CommonSalient : Learns what both sets have in common beside it.
    sklearn.decomposition.PCA : Directions in which rows vary at all.

    Notes
    -----
    "auto" is the published procedure: the planes of the two leading directions under 40 contrasts
    from 0.1 to 1000 and under 0, spectral clustering of these planes by the cosines of the angles
    between them into four groups, and the medoid of each group without 0. The contrasts are
    suggestions, so look at each.

    :math:`(C_F - C_B) v = w C_B v` and :math:`(C_F - C_B) v = w (C_F + C_B) v`, two forms of
    "generalised contrastive PCA", have the components of "ratio" in the same order.

    Missing values are imputed before, such as by a SimpleImputer. A kernel form is
    ``make_pipeline(Nystroem(), ContrastivePCA())``.

    References
    ----------
    Abid et al., "Exploring patterns enriched in a dataset with contrastive principal component
    analysis", Nature Communications 9, 2018. de Oliveira et al., "Identifying patterns differing
    between high-dimensional datasets with generalized contrastive PCA", PLOS Computational Biology
    21, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import ContrastivePCA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 5)) * [9, 1, 1, 1, 1]  # all vary most in the first column
    >>> background = np.arange(300) < 150
    >>> X[200:, 3] += 4  # some of the others differ from the rest of them
    >>> model = ContrastivePCA(1, standardize=False).fit(X, background=background)
    >>> int(abs(model.components_[0]).argmax())
    3
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "contrast": [StrOptions({"auto", "ratio"}), Interval(Real, 0, None, closed="left")],
        "shrinkage": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
        "standardize": ["boolean"],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        contrast: float | Literal["auto", "ratio"] = "auto",
        shrinkage: float | Literal["auto"] = "auto",
        standardize: bool = True,
    ):
        self.n_components = n_components
        self.contrast = contrast
        self.shrinkage = shrinkage
        self.standardize = standardize

    def fit(
        self: Self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        background: RowsLike | ArrayLike | None = None,
    ) -> Self:
        """Find the directions.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            The foreground and, where ``background`` is a mask, the background too.

        y : None
            Ignored, as in scikit-learn's transformers.

        background : bool array of shape (n_samples,) or table, default=None
            Which rows of X are background, or the background itself, (n_background, n_features).
            A mask is cut along with X by a cross-validation, and what stands before in a pipeline
            transforms both kinds of rows alike. None warns and gives the principal components.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        source = TableInput(type(self).__name__)
        F = numbers(source.fit_columns, X, source).astype(np.float64)
        F, B = self._two_sets(source, F, background)
        if self.n_components > F.shape[1]:
            raise ValueError(
                f"n_components={self.n_components}, but X has n_features={F.shape[1]}: there are "
                "at most as many components as columns."
            )
        mean, scale = F.mean(axis=0), None
        if self.standardize:
            scale = F.std(axis=0)
            scale[scale <= 1e-12 * np.abs(mean)] = 1.0  # a column that is constant stays so
            F, B = F / scale, B / scale
        both = spread(F, B)
        if self.n_components > len(both.foreground):
            raise ValueError(
                f"n_components={self.n_components}, but the rows span {len(both.foreground)} "
                "directions: pass more rows, or ask for fewer components."
            )
        self._find(both, B, background is None)
        self.input_, self.mean_, self.scale_ = source, mean, scale
        return self

    def _two_sets(self, source, X, background):
        """Foreground and background, of two rows at least."""
        if background is None:
            warn(
                "No background was given, so that these are the principal components: type "
                "fit(X, background=mask) and, inside a Pipeline or a search, request it with "
                "set_fit_request(background=True)."
            )
            # Two equal rows: nothing to set against.
            return X, np.repeat(X[:1], 2, axis=0)
        F, B = _split(source, X, background)
        for name, rows in (("foreground", F), ("background", B)):
            if len(rows) < 2:
                raise ValueError(
                    f"The {name} has {len(rows)} row(s), but {type(self).__name__} needs 2 at "
                    "least: background is True for rows of the background, and there have to be "
                    "others."
                )
        return F, B

    def _find(self, both, B, is_alone):
        k, contrast = self.n_components, 0.0 if is_alone else self.contrast
        found, shrinkage = np.empty(0), None
        if contrast == "ratio":
            auto = self.shrinkage == "auto"
            shrinkage = float(ledoit_wolf_shrinkage(B) if auto else self.shrinkage)
            try:
                values, vectors = divided(both, shrinkage, k)
            except LinAlgError:
                raise ValueError(
                    f"The background does not vary in some direction, so that with shrinkage="
                    f"{shrinkage:.3g} no ratio is finite: type shrinkage=0.1 or more, or "
                    "contrast='auto'."
                ) from None
        else:
            if not is_alone:
                found = candidates(both) if contrast == "auto" else np.array([float(contrast)])
                contrast = found[0]
            values, vectors = subtracted(both, float(contrast), k)
        f, b = (((C @ vectors) * vectors).sum(axis=0) for C in (both.foreground, both.background))
        total = np.where(f + b > 0, f + b, 1.0)
        vectors = vectors if both.axes is None else both.axes @ vectors
        largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(k)]
        self.components_ = (vectors * np.where(largest < 0, -1.0, 1.0)).T
        self.contrast_ = contrast if contrast == "ratio" else float(contrast)
        self.candidate_contrasts_, self.shrinkage_ = found, shrinkage
        self.eigenvalues_, self.contrast_index_ = values, (f - b) / total
        below = int((f < b - 1e-10 * b).sum())
        if below:
            warn(
                f"{below} of {k} components vary less in the foreground than in the background: "
                "type fewer n_components, or a smaller contrast."
            )

    def transform(self, X: RowsLike) -> np.ndarray:
        """Place rows along the directions, those of a background too.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            float32 for float32 rows, else float64.
        """
        check_is_fitted(self, "components_")
        X = numbers(self.input_.read, X, self.input_)
        centred = X.astype(np.float64) - self.mean_
        centred = centred if self.scale_ is None else centred / self.scale_
        return products_by_row(centred, self.components_.T).astype(X.dtype, copy=False)

    @property
    def _n_features_out(self):
        return len(self.components_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _split(source, X, background):
    """Foreground and background, from a mask of the rows of X or from a table of its own."""
    refuse_masked(background, "background")
    try:
        n_axes = getattr(background, "ndim", None) or np.ndim(background)
        mask = np.asarray(background)
    except ValueError:  # of lists of different lengths
        n_axes, mask = 1, np.array([None] * len(background))
    # A column of a data frame that says which rows is a mask of the wrong shape, and no table.
    if n_axes == 2 and not (mask.dtype == bool and mask.shape[1:] == (1,)):
        return X, _table(source, X, background)
    if mask.dtype == object and all(isinstance(entry, (bool, np.bool_)) for entry in mask.flat):
        mask = mask.astype(bool)
    if mask.dtype != bool or mask.shape != (len(X),):
        raise ValueError(
            f"background is an array of type {mask.dtype} and shape {mask.shape}, but X has "
            f"{len(X)} rows: pass True or False for each row of X, of shape ({len(X)},), or a "
            "table of other rows."
        )
    return X[~mask], X[mask]


def _table(source, X, background):
    """The background as a table of its own."""
    try:
        B = numbers(source.read, background, source, "background").astype(np.float64)
    except ValueError as error:
        said = first_line(error).replace("X has", "it has").replace("Input X", "it")
        raise ValueError(f"background has to be a table like X: {said}") from None
    if len(B) == len(X):
        warn(
            f"background is a table of {len(B)} rows, as many as X has, so that a "
            "cross-validation takes it for one entry for each row of X, and cuts it: pass X "
            "and background in one table, and a mask of its rows as background."
        )
    return B
