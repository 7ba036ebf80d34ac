"""AlignmentUniformityDisplay: whether views agree and rows spread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike
from skcontrast.metrics import alignment, uniformity
from skcontrast.plotting._base import (
    DRAWN,
    GREY,
    Display,
    named,
    need_matplotlib,
    next_color,
    numbers,
    rows_of,
    same_length,
    style,
    with_view,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class AlignmentUniformityDisplay(Display):
    """Alignment of views against uniformity of rows, a point for each encoder.

    Of both measures lower is better, so that good encoders are at the bottom on the left. An
    encoder that gives the same to every row is in the corner on the right, at 0 and 0. ``plot``
    hands further arguments to matplotlib's ``scatter``.

    Parameters
    ----------
    alignment : array-like of shape (n_encoders,)
        What :func:`skcontrast.metrics.alignment` gives for each.

    uniformity : array-like of shape (n_encoders,)
        What :func:`skcontrast.metrics.uniformity` gives for each.

    names : list of str, default=None
        Names of the encoders.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    References
    ----------
    Wang and Isola, "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere", ICML 2020.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skcontrast.plotting import AlignmentUniformityDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> encoders = {f"PCA, {k}": PCA(k).fit(X) for k in (2, 3)}
    >>> display = AlignmentUniformityDisplay.from_estimator(encoders, X)
    >>> display.names, display.alignment.shape
    (['PCA, 2', 'PCA, 3'], (2,))
    """

    def __init__(
        self,
        alignment: ArrayLike,
        uniformity: ArrayLike,
        *,
        names: list[str] | None = None,
    ):
        self.alignment = numbers(alignment, "alignment")
        self.uniformity = numbers(uniformity, "uniformity")
        self.names = names
        same_length(alignment=self.alignment, uniformity=self.uniformity)
        if names is not None:
            same_length(alignment=self.alignment, names=names)

    @classmethod
    def from_embedding(
        cls,
        z1: ArrayLike,
        z2: ArrayLike,
        *,
        name: str = "embedding",
        ax: Axes | None = None,
    ) -> AlignmentUniformityDisplay:
        """Draw the point of an embedding.

        Parameters
        ----------
        z1, z2 : array-like of shape (n_samples, n_components)
            Embeddings of two views of the same rows; the uniformity is that of ``z1``.

        name : str, default="embedding"
            Written beside the point.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : AlignmentUniformityDisplay
        """
        need_matplotlib(cls)
        return cls([alignment(z1, z2)], [uniformity(z1)], names=[name]).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator | Mapping[str, Estimator],
        X: RowsLike,
        *,
        view: float | Literal["auto"] | Callable = "auto",
        random_state: RandomState = 0,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> AlignmentUniformityDisplay:
        """Draw the points of fitted encoders.

        Parameters
        ----------
        estimator : estimator, or dict of name to estimator
            Fitted, with ``transform``; also Pipelines that end with one.

        X : rows, of n_samples
            As the estimators read them, held out where it can be.

        view : "auto", float or callable, default="auto"
            Where the second view comes from, as in
            :class:`skcontrast.metrics.EmbeddingScorer`. To compare encoders with different views,
            type one that is the same for all.

        random_state : int, RandomState instance or None, default=0
            Seed of the views.

        name : str, default=None
            Written beside the point of one estimator; None is the name of its class.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : AlignmentUniformityDisplay
        """
        need_matplotlib(cls)
        X, _ = rows_of(X)
        encoders = named(estimator, name)
        pairs = [with_view(encoder, X, view, random_state) for encoder in encoders.values()]
        both = [(alignment(z, z_view), uniformity(z)) for z, z_view in pairs]
        return cls(*zip(*both), names=list(encoders)).plot(ax)

    def _draw(self, ax, kwargs):
        from matplotlib.collections import PathCollection

        ax.scatter(0, 0, s=50, facecolors="none", edgecolors=GREY, zorder=3)
        note = {"textcoords": "offset points", "fontsize": "small"}
        ax.annotate("all rows equal", (0, 0), (-8, 4), ha="right", color=GREY, **note)
        left, right = min(*self.uniformity, -1), 0
        for i, (x, y) in enumerate(zip(self.uniformity, self.alignment)):
            look = {"color": next_color(ax), "s": 50, "zorder": 3, "gid": DRAWN}
            ax.scatter(x, y, **style(kwargs, PathCollection, **look))
            if self.names is not None:
                side = 1 if x < (left + right) / 2 else -1  # towards the middle
                ha = "left" if side > 0 else "right"
                ax.annotate(self.names[i], (x, y), (8 * side, 4), ha=ha, **note)
        ax.margins(0.12, 0.2)
        ax.set(xlabel="Uniformity (lower is better)", ylabel="Alignment (lower is better)")
