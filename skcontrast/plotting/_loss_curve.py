"""LossCurveDisplay: how training went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skcontrast._typing import ArrayLike, Estimator
from skcontrast.metrics._checks import check_option
from skcontrast.plotting._base import (
    BLUE,
    GREY,
    VERMILLION,
    Display,
    need_matplotlib,
    numbers,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = {"fit": ("loss_curve_", "validation_curve_"), "finetune": ("finetune_curve_", None)}


class LossCurveDisplay(Display):
    """Loss of each epoch, on the training rows and on those held out.

    It is made by :meth:`from_estimator`, or from two curves. ``plot`` hands further arguments
    to matplotlib's ``plot``.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Mean training loss of each epoch.

    validation_loss : array-like of shape (n_epochs,), default=None
        Loss on the rows held out.

    name : str, default=None
        What was trained, for the title.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Score by number of training rows.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.plotting import LossCurveDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> encoder = ContrastiveEncoder(max_iter=5, early_stopping=True, random_state=0).fit(X)
    >>> display = LossCurveDisplay.from_estimator(encoder)
    >>> display.loss.shape, display.validation_loss.shape
    ((5,), (5,))
    """

    def __init__(
        self,
        loss: ArrayLike,
        validation_loss: ArrayLike | None = None,
        *,
        name: str | None = None,
    ):
        self.loss = numbers(loss, "loss")
        given = validation_loss is not None
        self.validation_loss = numbers(validation_loss, "validation_loss") if given else None
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        *,
        stage: Literal["fit", "finetune"] = "fit",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> LossCurveDisplay:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted in epochs, or a Pipeline or a search that holds such an estimator.

        stage : {"fit", "finetune"}, default="fit"
            Which training: that of ``fit``, or that of ``finetune`` on labelled rows.

        name : str, default=None
            For the title; None is the name of the class.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : LossCurveDisplay
        """
        need_matplotlib(cls)
        check_option(stage, "stage", tuple(CURVES))
        check_is_fitted(estimator)
        loss, validation = CURVES[stage]
        for encoder in _inside(estimator):
            if len(getattr(encoder, loss, None) or ()):
                curve = getattr(encoder, validation, None) if validation else None
                return cls(getattr(encoder, loss), curve, name=name or type(encoder).__name__).plot(
                    ax
                )
        raise ValueError(
            f"{type(estimator).__name__} has no {loss} with epochs in it: pass an estimator that "
            f"was trained in epochs{', by finetune too' if stage == 'finetune' else ''}."
        )

    def _draw(self, ax, kwargs):
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        curves = {"training rows": (self.loss, BLUE, "-")}
        if self.validation_loss is not None:
            curves["rows held out"] = (self.validation_loss, VERMILLION, "--")
        for label, (curve, color, line) in curves.items():
            marker = "o" if len(curve) < 15 else None
            defaults = {"color": color, "linestyle": line, "marker": marker, "label": label}
            epochs = np.arange(1, len(curve) + 1)
            ax.plot(epochs, curve, **style(kwargs, Line2D, markersize=4, **defaults))
        if self.validation_loss is not None:
            best = int(np.argmin(self.validation_loss)) + 1
            ax.axvline(best, color=GREY, linestyle=":", label=f"lowest held out, epoch {best}")
            ax.legend(fontsize="small")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(self.loss) == 1:
            ax.set_xlim(0, 2)
        ax.set(xlabel="Epoch", ylabel="Loss", title=self.name)


def _inside(estimator):
    """The estimator and those it holds, the last step of a Pipeline first."""
    yield estimator
    if isinstance(estimator, Pipeline):
        held = [step for _, step in reversed(estimator.steps)]
    else:
        held = [vars(estimator).get(name) for name in ("best_estimator_", "encoder_", "estimator")]
    for step in held:
        if hasattr(step, "fit"):
            yield from _inside(step)
