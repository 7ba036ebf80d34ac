"""Positives and negatives from ranges of ranks among the nearest rows."""

from collections.abc import Callable
from typing import Literal

import torch

from skcontrast._component import Function, Integral, Interval, Shorthand, StrOptions, resolve
from skcontrast._inputs.rows import Rows
from skcontrast.views._base import REGISTRY, Compose, View, build_views, members
from skcontrast.views._neighbors import Neighbors


class NeighborBands(View):
    r"""Replace each row by one out of a range of ranks of its neighbours.

    .. math::

        x'_i = X_r, \qquad r \sim \mathrm{Uniform}\{ r : \mathrm{start} \le
               \mathrm{rank}_i(r) < \mathrm{stop} \}

    where rank 0 is the training row nearest to row i, never i itself. A positive that is not
    among the very nearest teaches more. An objective that takes the last view for hard
    negatives, as ``InfoNCE(form="one_way", hard_negatives=True)`` does, gets a row out of a
    band further out, ``negative_start`` to ``negative_stop``: the gap between the two keeps
    them from colliding.

    In a composition this view comes first, as it discards what came before it.

    Parameters
    ----------
    start : int, default=0
        First rank of the positives.

    stop : int, default=5
        Rank that positives lie below.

    negative_start : int, default=20
        First rank of the hard negatives; not under ``stop``.

    negative_stop : int, default=40
        Rank that hard negatives lie below. Time and memory grow with it.

    metric, max_candidates : default="auto", 50_000
        See :class:`Neighbors`.

    space : {"features", "prior"}, default="features"
        What rows are ranked in: the columns of X, standardised as for the encoder, or the
        features given to ``fit`` as ``prior``, such as vectors of the rows in a graph of
        citations.

    See Also
    --------
    Neighbors : The nearest rows, and walks along their graph.

    Notes
    -----
    Where there are fewer rows than ranks, a band ends at the last row, and is that row alone
    where it would start behind it.

    References
    ----------
    Ostendorff et al., "Neighborhood contrastive learning for scientific document
    representations with citation embeddings", EMNLP 2022 (SciNCL).

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.objectives import InfoNCE
    >>> from skcontrast.views import NeighborBands
    >>> encoder = ContrastiveEncoder(
    ...     objective=InfoNCE(form="one_way", hard_negatives=True),
    ...     views=(NeighborBands(start=1, stop=6), "corruption"),
    ...     n_views=3,
    ... )
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> rows = table_rows(np.array([[0.0], [1.0], [3.0], [7.0]]))
    >>> x = rows.take(rows.train_index)
    >>> NeighborBands(start=1, stop=2).build(rows)(x, rows.train_index).T
    tensor([[3., 3., 0., 1.]])
    """

    _parameter_constraints = {
        "start": [Interval(Integral, 0, None, closed="left")],
        "stop": [Interval(Integral, 1, None, closed="left")],
        "negative_start": [Interval(Integral, 0, None, closed="left")],
        "negative_stop": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"auto", "euclidean", "manhattan", "cosine"})],
        "max_candidates": [Interval(Integral, 2, None, closed="left")],
        "space": [StrOptions({"features", "prior"})],
    }

    def __init__(
        self,
        start: int = 0,
        stop: int = 5,
        negative_start: int = 20,
        negative_stop: int = 40,
        metric: Literal["auto", "euclidean", "manhattan", "cosine"] = "auto",
        max_candidates: int = 50_000,
        space: Literal["features", "prior"] = "features",
    ):
        self.start = start
        self.stop = stop
        self.negative_start = negative_start
        self.negative_stop = negative_stop
        self.metric = metric
        self.max_candidates = max_candidates
        self.space = space

    requires = Neighbors.requires

    @property
    def reads(self) -> frozenset[str]:
        """Kinds of rows whose features can be compared."""
        return frozenset({"any" if self.space == "prior" else "numbers"})

    def build(self, rows: Rows) -> Callable:
        return self._draw(rows, self.start, self.stop)

    def build_negatives(self, rows: Rows) -> Callable:
        """Make the function that gives hard negatives: ``(x, index) -> x'``."""
        return self._draw(rows, self.negative_start, self.negative_stop)

    def _draw(self, rows, start, stop):
        if not self.start < self.stop <= self.negative_start < self.negative_stop:
            raise ValueError(
                f"NeighborBands: start={self.start}, stop={self.stop}, "
                f"negative_start={self.negative_start} and negative_stop={self.negative_stop} "
                "have to rise, and only stop and negative_start may be equal: type such as "
                "NeighborBands(start=0, stop=5, negative_start=20, negative_stop=40)."
            )
        near = Neighbors(stop, self.metric, self.max_candidates, space=self.space)
        graph = rows.once(near._graph, rows)  # (n_rows, k)
        graph = graph[:, min(start, graph.shape[1] - 1) :].copy()
        graph = torch.as_tensor(graph, device=rows.index_device)

        def replace(x, index):
            index = index.to(graph.device)
            pick = torch.randint(graph.shape[1], index.shape, device=graph.device)
            return rows.take(graph[index, pick])

        return replace


class ChangedNegative(View):
    r"""A hard negative of each row: the row itself, with a change that destroys its meaning.

    .. math:: x'_i = x_i, \qquad x^-_i = v(x_i)

    It leaves the other views as they are, and makes the last one for objectives that take it
    for a hard negative, as ``InfoNCE(form="one_way", hard_negatives=True)`` does. In a
    composition it comes first; the views after it make the positives, and change the negatives
    too.

    Parameters
    ----------
    view : str, View or callable, default="shuffle"
        The change: the order of words or of segments, a swap of features, or a function of the
        batch.

    See Also
    --------
    NeighborBands : Other rows as hard negatives.

    References
    ----------
    Yuksekgonul et al., "When and why vision-language models behave like bags-of-words, and what
    to do about it?", ICLR 2023.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.objectives import InfoNCE
    >>> from skcontrast.views import ChangedNegative, FeatureSwap
    >>> encoder = ContrastiveEncoder(
    ...     objective=InfoNCE(form="one_way", hard_negatives=True),
    ...     views=(ChangedNegative(FeatureSwap(rate=0.5)), "noise"),
    ...     n_views=3,
    ... )
    """

    _parameter_constraints = {"view": [Shorthand(REGISTRY, "view"), Function()]}
    _shorthand = {"view": REGISTRY}

    reads = frozenset({"any"})

    def __init__(self, view: str | View | Callable = "shuffle"):
        self.view = view

    @property
    def requires(self) -> tuple[str, ...]:
        """Side information that the change needs."""
        return tuple(n for view in members(self.view) for n in getattr(view, "requires", ()))

    def build(self, rows: Rows) -> Callable:
        return build_views(None, rows)

    def build_negatives(self, rows: Rows) -> Callable:
        """Make the function that gives hard negatives: ``(x, index) -> x'``."""
        return build_views(self.view, rows)


def _split(views):
    """The first of a composition of views, and the others in order."""
    if type(views) is Compose:  # of a subclass the members are not one after the other
        views = views.views
    members = list(views) if isinstance(views, (list, tuple)) else [views]
    first = members[0] if members else None
    if isinstance(first, (list, tuple)) or type(first) is Compose:
        first, before = _split(first)
        return first, [*before, *members[1:]]
    return first, members[1:]


def makes_negatives(views: str | View | Callable | list | tuple | None) -> bool:
    """Whether the first of these views can make hard negatives of a row.

    Parameters
    ----------
    views : str, View, callable, list or tuple of these, or None
    """
    first, _ = _split(views)
    first = resolve(first, REGISTRY) if first == "neighbor_bands" else first
    return hasattr(first, "build_negatives")


def build_negatives(views: str | View | list | tuple, rows: Rows) -> Callable:
    """Make the function of a batch that gives hard negatives, by a composition of views.

    Parameters
    ----------
    views : str, View, list or tuple of these
        The first has ``build_negatives``; those after it change what it gives.

    rows : Rows
        The training data.

    Returns
    -------
    view : callable
        ``(x, index) -> x'``.
    """
    first, others = _split(views)
    draw = resolve(first, REGISTRY).build_negatives(rows)
    change = build_views(others, rows)
    return lambda x, index: change(draw(x, index), index)
