"""MixtureOfExperts: several networks, and gates that say which of them a row goes to."""

from contextlib import nullcontext
from typing import Literal

import torch
from torch import nn

from skcontrast._component import Component, Integral, Interval, Shorthand, StrOptions
from skcontrast._inputs.rows import SparseBatch
from skcontrast.networks._layers import WIDTH, InputLayer, build_network

REGISTRY = "skcontrast.networks:NETWORKS"
# Score of an expert that no value of the column belongs to: below any other.
NOBODY = -1e12


class MixtureOfExperts(Component):
    r"""Several networks of which each row goes to a few, by a learned gate or by a column of X.

    .. math:: h(x) = \sum_e g_e(x) \, f_e(x)

    With learned routing g is the softmax of an affine map of the row, of which the ``top`` largest
    are kept and divided by their sum. With given routing a column of X, such as the domain or the
    laboratory of a row, says which one expert it is: the experts are numbered as the values of the
    column are in order, and a value that training has not seen goes to the expert of the nearest.

    Parameters
    ----------
    n_experts : int, default=4
        Number of networks, and with given routing the most values that the column may have.

    routing : {"learned", "given"}, default="learned"
        What the gates are.

    top : int, default=2
        Experts that a learned gate leaves to a row. One alone has the gate 1 whatever the gate's
        weights, which are then not trained.

    column : int, default=-1
        The column that routes, in given routing; -1 is the last. Columns of one category count as
        one. Of a DataFrame these are the columns of ``input_.expansion_``: numbers come first, so
        that -1 is the last column of categories, where there is one.

    network : str or component, default="mlp"
        Each of the networks: a name in :data:`skcontrast.networks.NETWORKS` or an object.

    width : int or "auto", default="auto"
        Number of learned columns; see :class:`Linear`.

    Notes
    -----
    The route is a column of X, and no argument of ``transform``, so that pipelines, searches and
    scorers know it wherever they have the row. A view of a row goes to the expert of the row,
    whatever the view made of the column. All experts read all rows, and so cost ``n_experts``
    networks; those whose gate is 0 get no gradient from a row.

    ``hidden_layers(X)[0]`` of a fitted estimator are the gates (n, n_experts).
    :class:`skcontrast.objectives.OnGates` trains them: a contrast of the gates of two views makes
    both choose the same experts, and rows choose different ones.

    References
    ----------
    Shazeer et al., "Outrageously large neural networks: the sparsely-gated mixture-of-experts
    layer", ICLR 2017. Hallee et al., "Contrastive learning and mixture of experts enables precise
    vector embeddings in biological databases", Scientific Reports 15, 2025, for given routes.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.networks import MixtureOfExperts
    >>> rng, domain = np.random.default_rng(0), np.arange(40) % 2
    >>> X = np.column_stack([rng.normal(size=(40, 3)), domain])
    >>> experts = MixtureOfExperts(2, routing="given")
    >>> encoder = ContrastiveEncoder(8, network=experts, max_iter=1, passthrough=False).fit(X)
    >>> encoder.hidden_layers(X)[0][:2]
    array([[1., 0.],
           [0., 1.]])
    """

    _shorthand = {"network": REGISTRY}
    _parameter_constraints = {
        "n_experts": [Interval(Integral, 1, None, closed="left")],
        "routing": [StrOptions({"learned", "given"})],
        "top": [Interval(Integral, 1, None, closed="left")],
        "column": [Integral],
        "network": [Shorthand(REGISTRY, "network")],
        "width": WIDTH,
    }

    def __init__(
        self,
        n_experts: int = 4,
        routing: Literal["learned", "given"] = "learned",
        top: int = 2,
        column: int = -1,
        network: str | Component = "mlp",
        width: int | Literal["auto"] = "auto",
    ):
        self.n_experts = n_experts
        self.routing = routing
        self.top = top
        self.column = column
        self.network = network
        self.width = width

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module (n, n_features_in) -> (n, n_components)."""
        sizes = n_features_in, n_components
        experts = [build_network(self.network, *sizes)[0] for _ in range(self.n_experts)]
        return _Experts(self, experts, n_features_in)


class _Experts(nn.Module):
    accepts_sparse = True

    def __init__(self, options, experts, n_in):
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.gate = InputLayer(n_in, options.n_experts)
        self.given, self.column = options.routing == "given", options.column
        self.top = 1 if self.given else min(options.top, options.n_experts)
        self.gate.requires_grad_(not self.given)

    @torch.no_grad()
    def prepare(self, rows):
        """Make the gate that tells which value of the column is nearest to that of a row.

        Of values v and a row x it is that with the largest 2 <x, v> - <v, v>.
        """
        for expert in self.experts:
            if hasattr(expert, "prepare"):
                expert.prepare(rows)
        if not self.given:
            return
        n_columns, n_experts = rows.n_features, len(self.experts)
        features = rows.features
        if features is None:
            features = torch.arange(n_columns, device=rows.device)
        if not -n_columns <= self.column < n_columns:
            raise ValueError(
                f"MixtureOfExperts routes by column={self.column}, and X has {n_columns} columns: "
                "type the number of one of them."
            )
        here = features == features[self.column]
        values = _distinct(rows, here)
        if len(values) > n_experts:
            raise ValueError(
                f"n_experts={n_experts}, and column={self.column} has {len(values)} values: type "
                f"n_experts={len(values)}, or the number of a column with few values."
            )
        self.gate.weight.zero_()
        self.gate.bias.fill_(NOBODY)
        weight = self.gate.weight
        weight[here.to(weight.device), : len(values)] = 2 * values.T.to(weight)
        self.gate.bias[: len(values)] = -values.square().sum(1).to(weight)

    def gates(self, x):
        """How much each expert counts for each row: (n, n_experts), rows that sum to 1."""
        # Two values of a column may be near each other: half precision would confuse them.
        halved = torch.is_autocast_enabled(x.device.type)
        with torch.autocast(x.device.type, enabled=False) if halved else nullcontext():
            scores = self.gate(x)
        if self.given:
            return nn.functional.one_hot(scores.argmax(1), len(self.experts)).to(scores.dtype)
        largest, place = scores.topk(self.top, dim=1)
        return torch.zeros_like(scores).scatter(1, place, largest.softmax(1))

    def forward(self, x, gates=None):
        gates = self.gates(x) if gates is None else gates
        made = torch.stack([expert(x) for expert in self.experts], dim=1)  # (n, E, d)
        return (gates[:, :, None] * made).sum(1)

    def hidden(self, x):
        """The gates, as what stands before the last layer."""
        yield self.gates(x)


def _distinct(rows, here, chunk=4096):
    """Distinct values of the columns ``here`` (n_features,) of training rows: (m, k), sorted."""
    found = []
    for index in rows.train_index.split(chunk):
        x = rows.take(index)
        x = x.to_dense() if isinstance(x, SparseBatch) else x
        found.append(torch.unique(x[:, here], dim=0))
    return torch.unique(torch.cat(found), dim=0)
