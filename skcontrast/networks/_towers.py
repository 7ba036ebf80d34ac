"""Towers: a network for each block of a row, into one shared space."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from skcontrast._canonical import Products, best_regularization
from skcontrast._component import Component, Shorthand, StrOptions, resolve_for
from skcontrast._inputs.blocks import check_name
from skcontrast.functional import normalize
from skcontrast.networks._layers import MLP, InputLayer, Linear, build_network

REGISTRY = "skcontrast.networks:NETWORKS_OF"
# What "auto" stands for.
AUTO = {"numbers": MLP((256,), dropout=0.2), "tokens": "hashed"}
# Columns of a network whose output a linear map brings into the shared space.
FEATURES = 1024
# Scale of the weights of columns beyond the directions: had both blocks zeros there, none would
# ever learn anything.
LITTLE = 0.03
# Rows from which the directions at the start are found, and rows of texts read at a time.
START_ROWS, CHUNK = 20_000, 1024


class Towers(Component):
    r"""A network for each block, into one shared space: what reads rows of several blocks.

    .. math:: z^v = W_v^\top x^v + b_v + f_v(x^v), \qquad u^v = z^v / \|z^v\|

    with the canonical directions W of the blocks, which stay, and a network f whose last layer
    starts at zero. Of texts, and where a network is a torch module g, it is
    :math:`z^v = W_v^\top g_v(x^v) + b_v`, where all is trained.

    Parameters
    ----------
    networks : str, component, torch.nn.Module or dict of these by block, default="auto"
        The network of each block. "auto" is ``MLP((256,), dropout=0.2)`` for numbers and
        :class:`HashedEmbeddingBag` for texts, as it is for blocks that a dict does not name, and
        for those of a kind that one network for all does not read.

    combine : {"concat", "mean", "sum"}, default="concat"
        What comes out of a row: the blocks' unit rows beside each other, with the unit mean of
        those that are there in place of one that is not, or their mean or sum.

    tied : bool or list of str, default=False
        Whether one network reads all blocks, or those of these names, which have to be as wide as
        each other.

    init : {"cca"} or None, default="cca"
        Whether W starts as the canonical directions, of blocks that one network reads those of the
        first; with None, or where one network reads all, there is none.

    Examples
    --------
    >>> import torch
    >>> from skcontrast._inputs.block_rows import BlockBatch
    >>> from skcontrast.networks import Towers
    >>> towers = Towers(init=None).build((("a", "numbers", 3), ("b", "numbers", 5)), 8)
    >>> towers(BlockBatch({"a": torch.ones(4, 3), "b": torch.ones(4, 5)})).shape
    torch.Size([4, 8])
    """

    reads = frozenset({"blocks"})

    _shorthand = {"networks": REGISTRY}
    _parameter_constraints = {
        "networks": [Shorthand(REGISTRY, "network"), nn.Module, dict, StrOptions({"auto"})],
        "combine": [StrOptions({"concat", "mean", "sum"})],
        "tied": ["boolean", list, tuple],
        "init": [StrOptions({"cca"}), None],
    }

    def __init__(
        self,
        networks: str | Component | nn.Module | dict[str, Any] | Literal["auto"] = "auto",
        combine: Literal["concat", "mean", "sum"] = "concat",
        tied: bool | list | tuple = False,
        init: Literal["cca"] | None = "cca",
    ):
        self.networks = networks
        self.combine = combine
        self.tied = tied
        self.init = init

    def build(self, layout: tuple, n_columns: int) -> nn.Module:
        """Make the torch module BlockBatch of n rows -> (n, n_columns).

        Parameters
        ----------
        layout : tuple of (name, kind, width)
            Of each block.

        n_columns : int
            With ``combine="concat"`` the width of the shared space times the number of blocks.
        """
        n_shared = n_columns // len(layout) if self.combine == "concat" else n_columns
        if isinstance(self.networks, dict):
            for name in self.networks:
                check_name(name, [block for block, _, _ in layout], "networks=")
        names = [name for name, _, _ in layout]
        shared = self._read_by_one(layout)
        first = {name: shared[0] if name in shared else name for name in names}
        apart = [block for block in layout if first[block[0]] == block[0]]
        start = self.init is not None and len(apart) > 1
        towers = [self._tower(block, n_shared, start) for block in apart]
        readers = {name: [block[0] for block in apart].index(first[name]) for name in names}
        return _Towers(towers, readers, self.combine, n_shared)

    def _read_by_one(self, layout):
        """Names of the blocks that one network reads."""
        names = [name for name, _, _ in layout]
        chosen = list(dict.fromkeys(self.tied)) if not isinstance(self.tied, bool) else names
        if self.tied is False:
            return []
        for name in chosen:
            check_name(name, names, "tied=")
        if len(chosen) < 2:
            raise ValueError(f"tied={self.tied!r} names one block: type two or more, or False.")
        tied = [block for block in layout if block[0] in chosen]
        if len({(kind, width) for _, kind, width in tied}) > 1:
            widths = ", ".join(f"{name!r} has {w} columns of {k}" for name, k, w in tied)
            raise ValueError(
                f"tied={self.tied!r} reads blocks by one network, but they differ: {widths}. Type "
                "tied=False, or the names of those that are alike."
            )
        return [name for name, _, _ in tied]

    def _tower(self, block, n_shared, start):
        name, kind, width = block
        network = self._network(name, kind)
        label = f"networks[{name!r}]"
        if isinstance(network, (MLP, Linear)):
            made = build_network(network, width, n_shared, label)[0]
            return _Beside(made, width, n_shared, start)
        features, n = build_network(network, width, name=label, width=FEATURES)
        return _Mapped(features, n, n_shared, start)

    def _network(self, name, kind):
        tables = import_module("skcontrast.networks").NETWORKS_OF
        networks, advice = self.networks, f"networks={{{name!r}: 'auto'}}"
        auto = AUTO[kind]
        if isinstance(networks, dict):
            networks = networks.get(name, "auto")
        elif not isinstance(networks, (str, nn.Module)):
            reads = getattr(networks, "reads", {"numbers"})
            networks = networks if {kind, "any"} & set(reads) else auto
        elif isinstance(networks, str):
            networks = networks if networks in tables[kind] else auto
        if isinstance(networks, nn.Module):
            return networks
        if networks is None:
            raise ValueError(f"networks[{name!r}] is None: type {advice}, or 'linear'.")
        networks = auto if isinstance(networks, str) and networks == "auto" else networks
        return resolve_for(kind, networks, tables, "networks", advice, "numbers")


class _Beside(nn.Module):
    """A network beside canonical directions, which stay."""

    def __init__(self, network, width, n_shared, start):
        super().__init__()
        self.network, self.start = network, start
        if start:
            self.directions = InputLayer(width, n_shared).requires_grad_(False)
            self.directions.weight.zero_()

    def forward(self, x):
        z = self.network(x)
        return z + self.directions(x) if self.start else z

    def readable(self, rows, name, index):
        """What directions are found from: standardised rows."""
        return rows.standardized(name, index)

    def begin(self, weight, offset):
        """Start at directions (width, k), which may be fewer than columns."""
        with torch.no_grad():
            _write(self.directions, weight, offset)
            network = self.network  # the layers that its output is the sum of
            last = [network.head, network.shortcut] if hasattr(network, "head") else [network]
            for layer in filter(None, last):
                layer.weight[:, : weight.shape[1]] = 0
                layer.weight[:, weight.shape[1] :] *= LITTLE


class _Mapped(nn.Module):
    """Features of a network, brought into the shared space by a linear map."""

    def __init__(self, features, n_features, n_shared, start):
        super().__init__()
        self.features, self.start = features, start
        self.head = InputLayer(n_features, n_shared)

    def forward(self, x):
        return self.head(self.features(x))

    @torch.no_grad()
    def readable(self, rows, name, index):
        """What directions are found from: the features before training."""
        part = rows.blocks[name]
        index = torch.as_tensor(index, device=part.index_device)
        training = self.features.training
        self.features.eval()
        features = self.features.to(part.device)
        out = [features(part.take(i)).double().cpu().numpy() for i in index.split(CHUNK)]
        self.features.to("cpu").train(training)
        return np.concatenate(out)

    def begin(self, weight, offset):
        """Start at directions (n_features, k)."""
        with torch.no_grad():
            self.head.weight *= LITTLE
            _write(self.head, weight, offset)


def _write(layer, weight, offset):
    k = weight.shape[1]
    layer.weight[:, :k] = torch.as_tensor(weight).to(layer.weight)
    layer.bias[:k] = torch.as_tensor(offset).to(layer.bias)


class _Towers(nn.Module):
    accepts_sparse = True

    def __init__(self, towers, readers, combine, n_shared):
        super().__init__()
        self.towers = nn.ModuleList(towers)
        # Number of the network of each block; each was made for the first that it reads.
        self.readers, self.names = readers, list(readers)
        self.first = [self.names[list(readers.values()).index(t)] for t in range(len(towers))]
        self.combine, self.n_shared = combine, n_shared

    def tower(self, name):
        """The network of a block."""
        return self.towers[self.readers[name]]

    def slots(self, x):
        """Embedding of each block as it is: (V, n, d)."""
        return torch.stack([self.tower(name)(x.batches[name]) for name in self.names])

    def forward(self, x):
        z = normalize(self.slots(x))
        if x.present is not None:
            there = x.present[:, :, None]
            total = (z * there).sum(0)
            if self.combine == "concat":
                z = torch.where(there, z, normalize(total))
            else:
                count = there.sum(0).clamp_min(1) if self.combine == "mean" else 1
                return total / count
        if self.combine == "concat":
            return z.transpose(0, 1).flatten(1)
        return z.mean(0) if self.combine == "mean" else z.sum(0)

    def shared(self, x):
        """One embedding of each row, as wide as the shared space: (n, d)."""
        z = normalize(self.slots(x))
        there = 1 if x.present is None else x.present[:, :, None]
        return normalize((z * there).sum(0))

    def prepare(self, rows):
        """Find what is known before training: words of texts, canonical directions."""
        for name, tower in zip(self.first, self.towers):
            features = getattr(tower, "features", None)
            if hasattr(features, "prepare"):
                features.prepare(rows.blocks[name])
        if len(self.towers) > 1 and all(tower.start for tower in self.towers):
            with threadpool_limits(1, user_api="blas"):  # last bits depend on their number
                self._begin(rows)

    def _begin(self, rows):
        index = rows.train_index.cpu().numpy()
        index = np.sort(np.random.default_rng(0).permutation(index)[:START_ROWS])
        present = np.array([rows.is_present(name, index) for name in self.first])
        blocks = [t.readable(rows, n, index) for n, t in zip(self.first, self.towers)]
        r = best_regularization(blocks, present, self.n_shared)
        maps = Products(blocks, present).maps(r, self.n_shared)
        for tower, weight, offset in zip(self.towers, maps.weights, maps.offsets):
            tower.begin(weight, offset)


class OneBlock(nn.Module):
    """The network of one block alone, for its rows."""

    def __init__(self, towers, name):
        super().__init__()
        self.tower = towers.tower(name)

    def forward(self, x):
        return normalize(self.tower(x))


class EachBlock(nn.Module):
    """Unit rows of all blocks beside each other, whether a row has them or not."""

    def __init__(self, towers):
        super().__init__()
        self.towers = towers

    def forward(self, x):
        return normalize(self.towers.slots(x)).transpose(0, 1).flatten(1)
