"""LeakageDisplay: how much an embedding tells of a condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike
from skcontrast.metrics._checks import check_table
from skcontrast.plotting._base import (
    BLUE,
    GREY,
    ORANGE,
    Display,
    named,
    need_matplotlib,
    numbers,
    rows_of,
    same_length,
    shortened,
    style,
    transformed,
)
from skcontrast.plotting._probes import PROBES, SCORES, probe_scores, read_condition
from skcontrast.plotting._values import name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LeakageDisplay(Display):
    """How well a condition is predicted from an embedding, by a linear probe and by a forest.

    Each probe is trained and scored on different rows, by cross-validation: the area under the
    ROC curve for classes, the mean of one class against the others where there are more than two,
    and the coefficient of determination for numbers. A score at chance says that these probes
    find nothing, not that there is nothing to find. ``plot`` hands further arguments to
    matplotlib's ``bar``.

    Parameters
    ----------
    scores : array-like of shape (n_embeddings, 2, n_folds)
        Score of the linear probe and of the forest on each fold.

    names : list of str
        Names of the embeddings.

    chance : float, default=0.5
        Score where nothing is told.

    score_name, condition_name : str, default="AUC" and "condition"
        For the axis.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("Agg")
    >>> from skcontrast.plotting import LeakageDisplay
    >>> rng = np.random.default_rng(0)
    >>> group, noise = np.arange(100) % 2, rng.normal(size=(100, 3))
    >>> tells = noise + 5 * group[:, None]
    >>> display = LeakageDisplay.from_embedding({"tells": tells, "does not": noise}, group, cv=2)
    >>> display.scores.mean(axis=-1).round(1)[0]
    array([1., 1.])
    """

    def __init__(
        self,
        scores: ArrayLike,
        names: list[str],
        *,
        chance: float = 0.5,
        score_name: str = "AUC",
        condition_name: str = "condition",
    ):
        self.scores = numbers(scores, "scores", ndim=3)
        self.names, self.chance = list(names), chance
        self.score_name, self.condition_name = score_name, condition_name
        if self.scores.shape[:2] != (len(self.names), len(PROBES)):
            raise ValueError(
                f"scores has the shape {self.scores.shape} and there are {len(self.names)} names: "
                f"pass scores of shape ({len(self.names)}, {len(PROBES)}, n_folds)."
            )

    @classmethod
    def from_embedding(
        cls,
        z: ArrayLike | Mapping[str, ArrayLike],
        condition: ArrayLike,
        *,
        kind: Literal["auto", "class", "number"] = "auto",
        cv: int = 5,
        random_state: RandomState = 0,
        ax: Axes | None = None,
    ) -> LeakageDisplay:
        """Draw how much embeddings tell of a condition.

        Parameters
        ----------
        z : array-like of shape (n_samples, n_components), or dict of name to array-like
            Embedding, or several of the same rows.

        condition : array-like of shape (n_samples,)
            What should not be told: a class or a number for each row.

        kind : {"auto", "class", "number"}, default="auto"
            What the condition is; "auto" takes fractions, and more than 20 different
            numbers, to be numbers.

        cv : int, default=5
            Number of folds, at least 2.

        random_state, ax
            Seed of the folds and of the forest; where to draw, by default in a new figure.

        Returns
        -------
        display : LeakageDisplay
        """
        need_matplotlib(cls)
        z = z if isinstance(z, Mapping) else {"embedding": z}
        tables = {name: check_table(table, name) for name, table in named(z, None).items()}
        same_length(**tables)
        n = len(next(iter(tables.values())))
        kind, values = read_condition(condition, n, kind, cv)
        scores = [probe_scores(table, values, kind, cv, random_state) for table in tables.values()]
        _, score_name, chance = SCORES[kind]
        said = {"score_name": score_name, "condition_name": name_of(condition, "condition")}
        return cls(scores, list(tables), chance=chance, **said).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator | Mapping[str, Estimator],
        X: RowsLike,
        condition: ArrayLike,
        *,
        columns: Literal["all", "learned"] = "all",
        kind: Literal["auto", "class", "number"] = "auto",
        cv: int = 5,
        random_state: RandomState = 0,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> LeakageDisplay:
        """Draw how much of a condition is in what fitted encoders make of rows.

        Parameters
        ----------
        estimator : estimator, or dict of name to estimator
            Fitted, with ``transform``. To see what the rows themselves tell, put
            ``FunctionTransformer()`` beside the encoder.

        X : rows, of n_samples
            As the estimators read them, held out where it can be.

        condition : array-like of shape (n_samples,)
            What should not be told.

        columns : {"all", "learned"}, default="all"
            All that an encoder of this package gives, or what it learned alone.

        kind, cv, random_state, name, ax
            As in :meth:`from_embedding`; the name of one estimator, by default of its class.

        Returns
        -------
        display : LeakageDisplay
        """
        need_matplotlib(cls)
        X, _ = rows_of(X)
        encoders = named(estimator, name).items()
        z = {name: transformed(encoder, X, columns) for name, encoder in encoders}
        settings = {"kind": kind, "cv": cv, "random_state": random_state, "ax": ax}
        return cls.from_embedding(z, condition, **settings)

    def _draw(self, ax, kwargs):
        from matplotlib.patches import Rectangle

        where, width = np.arange(len(self.names)), 0.36
        for i, (probe, color) in enumerate(zip(PROBES, (BLUE, ORANGE))):
            left, scores = where + (i - 0.5) * (width + 0.02), self.scores[:, i]
            look = {"color": color, "label": probe, "hatch": "//" * i, "edgecolor": "white"}
            ax.bar(left, scores.mean(axis=1), **style(kwargs, Rectangle, width=width, **look))
            folds = np.repeat(left, scores.shape[1])
            ax.scatter(folds, scores, s=9, color="black", zorder=3)
        ax.axhline(self.chance, color=GREY, linestyle="--", label=f"chance, {self.chance:g}")
        ax.set_xlim(-0.7, len(self.names) - 0.3)
        ax.set_xticks(where, [shortened(name, 18) for name in self.names])
        ax.set_ylim(min(self.scores.min() - 0.05, 0), 1.04)
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "frameon": False}
        ax.legend(fontsize="small", ncols=3, columnspacing=1.2, **above)
        ax.set_ylabel(f"{self.score_name}, {self.condition_name} predicted")
