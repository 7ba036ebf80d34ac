"""OnColumns: an objective on some columns of the space. Nested: on the first few, and more."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from skcontrast._component import Integral, Interval, Real, check_count
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.several import prepared
from skcontrast.objectives._base import Objective, _Composite

# Named tensors whose last axis is the columns of the space.
OF_COLUMNS = ("views", "embedding", "steps", "keys")


class _BuiltOnColumns(nn.Module):
    def __init__(self, objective, term):
        super().__init__()
        self.objective, self.term = objective, term
        # Those that are not read may be narrower, as an embedding before a projector.
        self.read = [n for n in OF_COLUMNS if n in ("views", *objective.requires)]

    def prepare(self, side, given, n_components=None):
        width = given.get("width")
        given = {**given, "width": None if width is None else self._count(width)}
        # With a projector the embedding may be narrower than the columns that are read.
        if n_components is not None and {"embedding", "steps"} & {*self.read}:
            n_components = self._count(n_components)
        prepared(self.term, side, given, n_components)

    def refresh(self, epoch, project):
        if hasattr(self.term, "refresh"):
            self.term.refresh(epoch, lambda: self._cut(project()))

    def forward(self, own=None, **named):
        if own:
            own = {term: self._cut_all(handed) for term, handed in own.items()}
        return self.term(own=own, **self._cut_all(named))

    def _cut_all(self, named):
        cut = {k: self._cut(named[k]) for k in self.read if named.get(k) is not None}
        return {**named, **cut}

    def _cut(self, x):
        start = self.objective.start
        return x[..., start : start + self._count(x.shape[-1])]

    def _count(self, width):
        """How many of ``width`` columns there are."""
        start, stop = self.objective.start, self.objective.stop
        stop = width if stop is None else stop
        if not start < stop <= width:
            raise ValueError(
                f"{one_line(self.objective)} reads the columns {start} to {stop}, and there are "
                f"{width}: type start below stop, and stop up to n_components={width}, and so "
                "the widths of Nested."
            )
        return stop - start


class OnColumns(_Composite):
    r"""An objective on columns ``start`` to ``stop`` of the space.

    .. math:: L = \ell(z_{:, start:stop})

    An objective of unit rows scales these columns to length 1 anew. A sum of several gives each a
    part of the space for its own job, such as a finer and a coarser level of a hierarchy:
    ``OnColumns(fine, 0, 48) + OnColumns(coarse, 48, 64)``. Parts that overlap share columns, and
    nested ones, ``OnColumns(fine, 0, 16) + fine``, make the first columns serve alone.

    Parameters
    ----------
    objective : component

    start : int, default=0
        The first column.

    stop : int, default=None
        The column behind the last one. None is the end.

    Notes
    -----
    With a projector they are columns of the projection; without, those of the embedding, and
    ``transform`` gives them in this order.

    References
    ----------
    Yuan et al., "HecVL: hierarchical video-language pretraining for zero-shot surgical phase
    recognition", MICCAI 2024: a space for each level.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import InfoNCE, OnColumns
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> OnColumns(InfoNCE(temperature=0.5), 0, 2)(views).mean().round(decimals=4)
    tensor(1.2702)
    """

    _parameter_constraints = {
        "objective": [Objective],
        "start": [Interval(Integral, 0, None, closed="left")],
        "stop": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(self, objective: Objective, start: int = 0, stop: int | None = None):
        self.objective = objective
        self.start = start
        self.stop = stop

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The objective of these columns."""
        return (self.objective,)

    def build(self, n_samples: int) -> nn.Module:
        return _BuiltOnColumns(self, self.objective.build(n_samples))


class Nested(_Composite):
    r"""An objective on the first columns of the space, for several numbers of them (Matryoshka).

    .. math:: L = \sum_m w_m \, \ell(z_{:, :m})

    The first columns are then an embedding by themselves, for each m: ``Z[:, :16]`` is a short
    form of the rows, which needs no other training. An objective of unit rows scales the columns
    that it reads to length 1 anew.

    Parameters
    ----------
    objective : component
        What it learns, such as a head or prototypes, it learns for each width by itself.

    widths : array-like of int or None, default=(8, 16, 32, None)
        The numbers of columns; None is all of them.

    weights : array-like of float, default=None
        Weight of each. None is 1 for all.

    Notes
    -----
    Without a projector these are the first columns that ``transform`` learns; others may stand
    beside them (``passthrough``). With one they are those of the projection, and the embedding is
    not nested: type ``projector=None``.

    References
    ----------
    Kusupati et al., "Matryoshka representation learning", NeurIPS 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import InfoNCE, Nested
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> Nested(InfoNCE(temperature=0.5), widths=(2, None))(views).round(decimals=4)
    tensor(1.8646)
    """

    _parameter_constraints = {
        "objective": [Objective],
        "widths": ["array-like"],
        "weights": ["array-like", None],
    }

    def __init__(
        self,
        objective: Objective,
        widths: Sequence[int | None] = (8, 16, 32, None),
        weights: Sequence[float] | None = None,
    ):
        self.objective = objective
        self.widths = widths
        self.weights = weights

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The objective on the first columns, for each width."""
        return tuple(OnColumns(self.objective, 0, width) for width in self._widths)

    @property
    def _widths(self):
        widths, weights = _listed(self.widths), self._weights
        if not widths or len(weights) != len(widths):
            raise ValueError(
                f"there are {len(widths)} widths and {len(weights)} weights: type one width or "
                "more, and a weight for each or weights=None."
            )
        for width in widths:
            if width is not None:
                check_count(width, "widths")
        if not all(isinstance(w, Real) and np.isfinite(w) for w in weights):
            raise ValueError(f"weights={self.weights!r}: type a finite number for each width.")
        return widths

    @property
    def _weights(self):
        return [1.0] * len(self.widths) if self.weights is None else _listed(self.weights)


def _listed(values):
    return values.tolist() if hasattr(values, "tolist") else list(values)
