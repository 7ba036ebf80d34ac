"""Rows rebuilt from the embedding of what a view left of them, or from their neighbours."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Component, Interval, Real, Shorthand, StrOptions
from skcontrast._draws import spare_draws
from skcontrast._inputs.rows import SparseBatch
from skcontrast._inputs.series import SeriesBatch
from skcontrast._inputs.tokens import TokenBatch, bag_of_words
from skcontrast.functional import neighbor_weights
from skcontrast.networks import build_network
from skcontrast.objectives._base import Objective, PairObjective, Temperature
from skcontrast.objectives._prediction import BuiltPrediction, regression_error
from skcontrast.objectives._rebuilt import (
    ColumnKinds,
    EntryDecoder,
    changed_entries,
    drawn_entries,
    dropped,
    plain_entries,
    sparse_errors,
    unit_rows,
)
from skcontrast.views import TEXT_VIEW_CONSTRAINTS, FeatureMask, SegmentMask, Views, WordDeletion

# The views that "auto" stands for, by what a row is. Of blocks it is that of each that has numbers.
MASKS = {
    "numbers": FeatureMask(0.3),
    "series": SegmentMask(0.5),
    "tokens": WordDeletion(0.3),
    "blocks": FeatureMask(0.3),
}
# Hashed words that the counts of texts are of.
BUCKETS = 4096


class _BuiltReconstruction(BuiltPrediction):
    """The objective with its decoder, as wide as a row or as a step of it, or one for each block.

    ``kinds`` says what columns hold, where the error goes by it.
    """

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.n_samples, self.kinds, self.blocks = n_samples, None, nn.ModuleList()

    def prepare(self, side, given, n_components=None):
        rows, objective = given["rows"], self.objective
        if rows.kind not in MASKS:
            raise ValueError(
                f"Reconstruction rebuilds {', '.join(MASKS)}, and these rows are {rows.kind}: "
                "leave it out, or fit on dense features of them."
            )
        if rows.kind == "blocks":
            if objective.from_ == "neighbors":
                raise ValueError(
                    "Reconstruction(from_='neighbors') reads rows of one block: type "
                    "from_='itself'."
                )
            for part in rows.blocks.values():
                built = _BuiltReconstruction(objective, self.n_samples)
                built.prepare(side, {**given, "rows": part}, n_components)
                self.blocks.append(built)
            return
        # No draw is spent on it: all else is as in a training without the term.
        with spare_draws():
            if rows.kind == "tokens" or rows.is_sparse:
                width = BUCKETS if rows.kind == "tokens" else rows.n_features
                self.head = EntryDecoder(objective.decoder, n_components, width)
            else:
                name = "decoder"
                self.head = build_network(objective.decoder, n_components, rows.n_features, name)[0]
                if rows.kind == "numbers" and objective.error == "auto":
                    self.kinds = ColumnKinds(rows)

    def forward(self, views, own=None, **named):
        if not self.blocks:
            return super().forward(views, own=own, kinds=self.kinds, **named)
        if own and self.objective in own:
            named |= own[self.objective]
            views = named.pop("views")
        names, losses = list(named["rows"].batches), []
        for v, (name, built) in enumerate(zip(names, self.blocks)):
            there = None if named.get("present") is None else named["present"][v]
            part = {
                "embedding": named["embedding"][v : v + 1],
                "rows": named["rows"].batches[name],
                "inputs": [x.batches[name] for x in named["inputs"]],
                "present": there,
            }
            losses.append(built(views[v : v + 1], **{**named, **part}))
        return torch.cat(losses)


class Reconstruction(PairObjective):
    r"""Error of rows that are rebuilt from the embedding of a view: a masked autoencoder.

    With a view :math:`x'_i` of the row :math:`x_i`, its embedding :math:`h(x'_i)`, and a
    decoder D that is trained along,

    .. math::

        \hat x_i = D(h(x'_i)), \qquad
        l_i = \frac{1}{\bar m} \sum_j m_{ij} \, \ell(\hat x_{ij} - x_{ij})

    where :math:`m_{ij}` is 1 for entries that count and else 0, :math:`\bar m` is the number of
    them in a row of the batch, on average, and :math:`\ell` is the error of
    :class:`PredictionError`. The mean loss is thus the mean over all entries that count. Of a
    series the entries are the values of all channels at all steps, and a step is rebuilt from its
    own embedding; steps that were not seen, in the series or in the view, do not count.

    With ``from_="neighbors"`` a row of the first view is rebuilt from all other rows of all views
    (SimMTM), by the cosine of their projections z,

    .. math::

        \hat x_i = D\Big(\sum_{j \ne i} w_{ij} h_j\Big), \qquad
        w_{ij} = \frac{e^{\cos(z_i, z_j) / \tau}}{\sum_{k \ne i} e^{\cos(z_i, z_k) / \tau}}

    Added to a contrast it keeps in the embedding what tells rows themselves: ``InfoNCE() + 0.5 *
    Reconstruction()``. Alone it is an autoencoder, without any contrast.

    Parameters
    ----------
    view : str, component, callable, list or None, default="auto"
        What makes x' for this term alone; the other terms never see it. A mask makes a masked
        autoencoder, noise a denoising one. "auto" is ``FeatureMask(0.3)`` of numbers and
        ``SegmentMask(0.5)`` of series, ``WordDeletion(0.3)`` of texts, and None from neighbours.
        None rebuilds from the views of
        the estimator. Steps of series have to stay in their place, as in masks and noise.

    on : {"changed", "all"}, default="all"
        Which entries count: all, or those that the view changed.

    from_ : {"itself", "neighbors"}, default="itself"
        What a row is rebuilt from. SimMTM is ``3 * InfoNCE(0.2) + Reconstruction(
        from_="neighbors")`` on four views of ``SegmentMask(0.5, 3)`` with a clean anchor.

    temperature : float or component, default=0.2
        Temperature tau of the weights of neighbours: a positive number or "learned".

    decoder : str or component, default="linear"
        The network D: a name in :data:`skcontrast.networks.NETWORKS`, such as "mlp", or an
        object. It maps the embedding to a row, or that of a step to all channels. One of series,
        as ``DilatedConv(16, 3)``, reads the embeddings of all steps: what a network with
        ``mask_aware=True`` needs, which embeds masked steps as 0.

    error : {"auto", "squared", "absolute", "huber"}, default="auto"
        The function of the residual. With "auto" it is the square for numbers, for columns of two
        values the cross entropy of a logit, and for the columns of one category that of a softmax
        over them: a category is one entry. The others take all columns for numbers.

    delta : float, default=1.0
        Where the Huber error turns from a parabola into a line, in units of the columns after
        standardisation.

    dropout : float, default=0.0
        Probability that an entry of the embedding is dropped before it is decoded, in [0, 1):
        noise within the embedding, beside that of the view (DenoSent).

    Notes
    -----
    ``rows`` are those of the batch after standardisation, and ``inputs`` what the views made of
    them. A value that a view replaced by an equal one counts as unchanged. Of a series a missing
    value of one channel, at a step of which others were seen, is rebuilt as the mean that a network
    reads in its place. Series need a network that embeds steps.

    Of sparse rows, which have a length of one on average, :math:`l_i` is the sum over the entries
    that count, without :math:`\bar m`. To rebuild all, the stored entries are taken and as many
    zeros are drawn, which count for those that are not: no row is made dense. Texts are rebuilt as
    the counts of 4,096 hashed words, brought to length one. Of several blocks each is rebuilt from
    its own embedding, by a decoder of its own, in all rows that have it, with a partner or without.

    The decoder starts at random, without a draw from the generator of the training. After a
    fit its weights are in the estimator's ``objective_weights_`` as ``head...``. Called on tensors
    there is none: the first columns of the embedding, or of the ``steps``, are the row.

    References
    ----------
    Vincent et al., "Extracting and composing robust features with denoising autoencoders", ICML
    2008. Yoon et al., "VIME: extending the success of self- and semi-supervised learning to
    tabular domain", NeurIPS 2020. Li et al., "Ti-MAE: self-supervised masked time series
    autoencoders", 2023. Liu et al., "TERA: self-supervised learning of transformer encoder
    representation for speech", IEEE/ACM TASLP 29, 2021. Dong et al., "SimMTM: a simple
    pre-training framework for masked time-series modeling", NeurIPS 2023. Wang et al., "DenoSent: a
    denoising objective for self-supervised sentence representation learning", AAAI 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import Reconstruction
    >>> rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> inputs = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])  # the second column is masked
    >>> Reconstruction(on="changed")(inputs, rows=rows, inputs=inputs)
    tensor([ 4., 16.])
    """

    requires = ("views", "embedding", "rows")
    accepts_missing = True

    _module = _BuiltReconstruction

    _parameter_constraints = {
        "view": [*TEXT_VIEW_CONSTRAINTS, StrOptions({"auto"})],
        "on": [StrOptions({"changed", "all"})],
        "from_": [StrOptions({"itself", "neighbors"})],
        "temperature": PairObjective._parameter_constraints["temperature"],
        "decoder": [Shorthand("skcontrast.networks:NETWORKS", "network")],
        "error": [StrOptions({"auto", "squared", "absolute", "huber"})],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }
    _shorthand = {
        **PairObjective._shorthand,
        "view": "skcontrast.views:VIEWS_OF",
        "decoder": "skcontrast.networks:NETWORKS",
    }

    def __init__(
        self,
        view: Views | Literal["auto"] = "auto",
        on: Literal["changed", "all"] = "all",
        from_: Literal["itself", "neighbors"] = "itself",
        temperature: Temperature = 0.2,
        decoder: str | Component = "linear",
        error: Literal["auto", "squared", "absolute", "huber"] = "auto",
        delta: float = 1.0,
        dropout: float = 0.0,
    ):
        self.view = view
        self.on = on
        self.from_ = from_
        self.temperature = temperature
        self.decoder = decoder
        self.error = error
        self.delta = delta
        self.dropout = dropout

    @property
    def min_views(self) -> int:
        """Fewest views of the estimator: none, where this term has one of its own."""
        return int(self._view("numbers") is None)

    def own_views(self, kind: str) -> dict[Objective, Any]:
        view = self._view(kind)
        return {} if view is None else {self: view}

    def _view(self, kind):
        if not isinstance(self.view, str) or self.view != "auto":
            return self.view
        return None if self.from_ == "neighbors" else MASKS.get(kind)

    def loss(
        self,
        views: Tensor,
        rows: Tensor | SeriesBatch | SparseBatch | TokenBatch,
        temperature: nn.Module,
        inputs: Tensor | list | None = None,
        embedding: Tensor | None = None,
        steps: Tensor | None = None,
        step_mask: Tensor | None = None,
        head: nn.Module | None = None,
        kinds: nn.Module | None = None,
        present: Tensor | None = None,
        step: int = 0,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: embedding (V, n, h), rows (n, p) -> (V n,), from neighbours (n,).

        Of series steps (V, n, T, h), step_mask (V, n, T) and rows of c channels. Rows that are not
        ``present`` (n,) have no loss.
        """
        z = steps if steps is not None else views if embedding is None else embedding
        z = dropped(z, self.dropout, step) if self.dropout else z
        if isinstance(rows, (SparseBatch, TokenBatch)):
            return self._of_entries(views, z, rows, inputs, head, temperature, present, step)
        y = _values(rows)  # (n, p) or (n, T, c)
        seen = z.new_ones(z.shape[:-1]) if step_mask is None else step_mask.to(z.dtype)
        width = y.shape[-1]
        decode = (lambda z: z[..., :width]) if head is None else (lambda z: decoded(head, z, rows))
        if self.from_ == "itself":
            rebuilt = decode(z)
        else:
            # A linear decoder leaves fewer columns to mix.
            first = head is None or getattr(head, "is_affine_map", False)
            z = decode(z) if first else z
            z, seen = self._of_neighbors(views, z, seen, temperature(None, None))
            rebuilt = z if first else decode(z)
        y = y.expand_as(rebuilt)
        counts = (seen > 0)[..., None].expand_as(y)
        if present is not None:
            counts = counts & present[:, None]
        if isinstance(rows, SeriesBatch):
            counts = counts & (rows.mask > 0).transpose(1, 2)
        if self.on == "changed":
            counts = counts & self._changed(rows, y[0], inputs, len(rebuilt))
        if kinds is not None:
            error, counts = kinds(rebuilt, y, counts, self.delta)
        else:
            error = regression_error(rebuilt, y, self._error, self.delta)
        loss = torch.where(counts, error, 0).flatten(2).sum(2).flatten()  # (V n,)
        return loss / (counts.sum().clamp_min(1).to(loss.dtype) / len(loss))

    @property
    def _error(self):
        """The error of numbers."""
        return "squared" if self.error == "auto" else self.error

    def _of_entries(self, views, h, rows, inputs, head, temperature, present, step):
        """The loss of sparse rows, and of texts as counts of words: (V n,), or (n,)."""
        if self.from_ == "neighbors":
            seen = h.new_ones(h.shape[:-1])
            h, _ = self._of_neighbors(views, h, seen, temperature(None, None))
        decode, x = plain_entries if head is None else head, _entries_of(rows)
        scaled, length = unit_rows(x) if isinstance(rows, TokenBatch) else (x, None)
        if self.on == "all":
            entries = [drawn_entries(scaled, step)] * len(h)
        else:
            self._check_changed(rows, inputs, len(h))
            entries = [changed_entries(x, _entries_of(other)) for other in inputs[: len(h)]]
            if length is not None:
                entries = [(i, j, value / length[i], w) for i, j, value, w in entries]
        how = self._error, self.delta
        loss = torch.stack([sparse_errors(decode, z, e, *how) for z, e in zip(h, entries)])
        if present is not None:
            loss = loss * present * (len(present) / present.sum().clamp_min(1))
        return loss.flatten()

    def _of_neighbors(self, views, z, seen, temperature):
        """What other rows are, for each of the first view: (1, n, ..., d), and whether one has it.

        Of each step those count that have seen it.
        """
        weights = neighbor_weights(views.flatten(0, 1), temperature)[: views.shape[1]]  # (n, V n)
        seen = seen.flatten(0, 1)
        share = torch.tensordot(weights, seen, 1)
        mixed = torch.tensordot(weights, z.flatten(0, 1) * seen[..., None], 1)
        mixed = mixed / share.clamp_min(torch.finfo(z.dtype).tiny)[..., None]
        return mixed[None], share[None]

    def _changed(self, rows, y, inputs, n_views):
        """Which entries of the first views differ from the rows: (V, n, ..., p)."""
        self._check_changed(rows, inputs, n_views)
        return torch.stack([_values(x) for x in inputs[:n_views]]) != y

    def _check_changed(self, rows, inputs, n_views):
        if inputs is None or all(x is rows for x in inputs[:n_views]):
            raise ValueError(
                f"{self!r} rebuilds what a view changed, and the view is the rows themselves: type "
                "on='all', or clean_anchor=False."
            )


def _values(batch):
    """A batch as rows (n, p), or as the steps of series (n, T, c)."""
    return batch.values.transpose(1, 2) if isinstance(batch, SeriesBatch) else batch


def _entries_of(batch):
    """Sparse rows, which texts are as counts of hashed words."""
    return bag_of_words(batch, BUCKETS) if isinstance(batch, TokenBatch) else batch


def decoded(layer, z, rows):
    """A decoder along the last axis; one that reads series goes over the steps."""
    if not hasattr(layer, "steps"):
        return layer(z.flatten(0, -2)).unflatten(0, z.shape[:-1])
    mask = rows.mask.repeat(len(z), 1, 1)
    return layer.steps(SeriesBatch(z.flatten(0, 1).mT, mask)).unflatten(0, z.shape[:2])
