"""TopicDisplay: the terms at both ends of a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.pipeline import Pipeline

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike, Estimator
from skcontrast.plotting._base import (
    BLUE,
    VERMILLION,
    Display,
    need_matplotlib,
    numbers,
    shortened,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TopicDisplay(Display):
    """The most important terms of a topic, as bars to both ends of its axis.

    ``plot`` hands further arguments to matplotlib's ``barh``.

    Parameters
    ----------
    importance : array-like of shape (n_terms,)
        Importance of terms for the topic; negative at the other end of its axis.

    terms : array-like of shape (n_terms,)
        Their names.

    top : int, default=8
        How many terms of each end are drawn.

    name : str, default=None
        Title.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skcontrast.plotting import TopicDisplay
    >>> display = TopicDisplay([0.2, 3.0, -2.0], ["the", "sea", "sky"], top=1).plot()
    >>> display.shown.tolist()
    [1, 2]
    """

    def __init__(
        self,
        importance: ArrayLike,
        terms: ArrayLike,
        *,
        top: int = 8,
        name: str | None = None,
    ):
        self.importance = numbers(importance, "importance")
        self.terms = np.asarray(terms)
        if self.terms.shape != self.importance.shape:
            raise ValueError(
                f"importance has {len(self.importance)} entries, and terms the shape "
                f"{self.terms.shape}: pass one name for each."
            )
        self.top, self.name = check_count(top, "top"), name

    @property
    def shown(self) -> np.ndarray:
        """Numbers of the terms that are drawn, the most important first."""
        order = np.argsort(-self.importance, kind="stable")
        values = self.importance[order]
        first = order[: self.top][values[: self.top] > 0]
        return np.concatenate([first, order[-self.top :][values[-self.top :] < 0]])

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        V: ArrayLike,
        terms: ArrayLike,
        topic: int = 0,
        *,
        top: int = 8,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> TopicDisplay:
        """Draw a topic of a fitted model.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`skcontrast.SemanticSignalSeparation`, or a Pipeline that ends with it.

        V : array-like of shape (n_terms, n_features)
            Vectors of the terms, as its ``top_terms`` reads them.

        terms : array-like of shape (n_terms,)
            Their names.

        topic : int, default=0
            Number of the topic.

        top : int, default=8
            How many terms of each end are drawn.

        name : str, default=None
            Title; None is the number of the topic.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : TopicDisplay
        """
        need_matplotlib(cls)
        model = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not hasattr(model, "term_importance"):
            raise ValueError(
                f"{type(model).__name__} has no term_importance: pass a fitted "
                "SemanticSignalSeparation."
            )
        found = model.term_importance(V)
        whole = isinstance(topic, (int, np.integer)) and not isinstance(topic, bool)
        if not whole or not 0 <= topic < len(found):
            raise ValueError(f"topic={topic!r}: type a number from 0 to {len(found) - 1}.")
        name = f"Topic {topic}" if name is None else name
        return cls(found[topic], terms, top=top, name=name).plot(ax)

    def _draw(self, ax, kwargs):
        from matplotlib.patches import Rectangle

        shown = self.shown
        values = self.importance[shown]
        colors = np.where(values > 0, BLUE, VERMILLION).tolist()
        bars = style(kwargs, Rectangle, **({} if "color" in kwargs else {"facecolor": colors}))
        if "facecolor" in bars:
            bars["color"] = bars.pop("facecolor")
        ax.barh(np.arange(len(shown)), values, **bars)
        labels = [shortened(str(term)) for term in self.terms[shown]]
        ax.set_yticks(np.arange(len(shown)), labels)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        ax.set(xlabel="Importance of the term", title=self.name)
