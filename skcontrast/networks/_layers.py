"""Networks: how an embedding is computed from a row, and a projection from it."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from sklearn.base import clone
from torch import nn
from torch.nn.functional import embedding_bag

from skcontrast._component import (
    Component,
    Integral,
    Interval,
    Real,
    Shorthand,
    StrOptions,
    resolve,
)
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.rows import Rows, SparseBatch
from skcontrast.networks._buckets import MOST_COLUMNS, N_BUCKETS, reader

ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}

# Width of an embedding that nobody has chosen, most columns of a projection by default,
# and least width of a projector's hidden layer.
DEFAULT_WIDTH = 256
MAX_WIDTH = 128
MIN_HIDDEN = 64


class InputLayer(nn.Module):
    r"""Affine map of a dense or sparse batch.

    .. math:: h = x W + b

    A sparse row is a weighted sum of the rows of W where it has entries, so a batch
    costs as much as its stored entries, however many features there are.

    Parameters
    ----------
    n_in, n_out : int

    gain : float, default=1.0
        The weights have the standard deviation gain / sqrt(n_in); sqrt(2) before a
        ReLU keeps the scale of the signal.

    References
    ----------
    He et al., "Delving deep into rectifiers: surpassing human-level performance on
    ImageNet classification", ICCV 2015.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.networks import InputLayer
    >>> InputLayer(5, 3)(torch.ones(2, 5)).shape
    torch.Size([2, 3])
    """

    accepts_sparse = True
    # For TangentKernel: the output is x @ weight + bias, and nothing else.
    is_affine_map = True

    def __init__(self, n_in: int, n_out: int, gain: float = 1.0):
        super().__init__()
        # Stored (n_in, n_out): an embedding bag reads rows of its weight.
        self.weight = nn.Parameter(torch.empty(n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_out))
        bound = gain * (3 / n_in) ** 0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: torch.Tensor | SparseBatch) -> torch.Tensor:
        """Map a batch (n, n_in), tensor or SparseBatch, to (n, n_out)."""
        if not isinstance(x, SparseBatch):
            return torch.addmm(self.bias, x, self.weight)
        out = embedding_bag(
            x.indices, self.weight, x.offsets, mode="sum", per_sample_weights=x.values
        )
        return out + self.bias


# Of networks: their own number of learned columns.
WIDTH = [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})]


class Linear(Component):
    """One affine map, the network of linear methods.

    .. math:: h = x W + b

    Parameters
    ----------
    width : int or "auto", default="auto"
        Number of learned columns, where ``n_components`` of the estimator does not say it;
        "auto" is 256.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.networks import Linear
    >>> Linear().build(5, 2)(torch.zeros(3, 5)).shape
    torch.Size([3, 2])
    """

    _parameter_constraints = {"width": WIDTH}

    def __init__(self, width: int | Literal["auto"] = "auto"):
        self.width = width

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module (n, n_features_in) -> (n, n_components)."""
        return InputLayer(n_features_in, n_components)


class MLP(Component):
    r"""Multilayer perceptron.

    .. math:: h_{l+1} = \mathrm{dropout}(\phi(\mathrm{norm}(h_l W_l + b_l)))

    followed by an affine map to the embedding. With ``skip`` a layer as wide as the one
    before adds to it, and an affine map of the input is added to the embedding.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(256, 256)
        Widths of the hidden layers; with none the network is linear.

    activation : {"relu", "gelu", "silu", "tanh"}, default="relu"
        Function phi.

    normalization : {"layer", "batch"} or None, default="layer"
        Normalisation of each hidden layer, without learned scale and shift. "layer"
        is over the units of a row, "batch" over the rows of a batch.

    dropout : float, default=0.0
        Probability that a hidden unit is dropped in training. Above 0 two passes of a
        row differ, and are views of it.

    skip : bool, default=True
        Whether layers add to their input where widths agree.

    width : int or "auto", default="auto"
        Number of learned columns; see :class:`Linear`.

    n_buckets : int, None or "auto", default="auto"
        Of more columns than this the network reads signed sums in so many buckets, by a fixed
        hash, so that its weights and a training step do not grow with the columns. None reads
        the columns themselves. "auto" is 16,384 where an estimator trains on sparse rows of
        more than 32,768 columns, else None.

    References
    ----------
    Ba et al., "Layer normalization", 2016. He et al., "Deep residual learning for image
    recognition", CVPR 2016. Gorishniy et al., "Revisiting deep learning models for
    tabular data", NeurIPS 2021. Gao et al., "SimCSE: simple contrastive learning of
    sentence embeddings", EMNLP 2021, for dropout as a view.
    Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009, for buckets.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.networks import MLP
    >>> MLP(hidden_layer_sizes=(16,)).build(5, 2)(torch.zeros(3, 5)).shape
    torch.Size([3, 2])
    """

    _parameter_constraints = {
        "hidden_layer_sizes": [tuple, list],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "skip": ["boolean"],
        "width": WIDTH,
        "n_buckets": [*WIDTH, None],
    }

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] | list[int] = (256, 256),
        activation: Literal["relu", "gelu", "silu", "tanh"] = "relu",
        normalization: Literal["batch", "layer"] | None = "layer",
        dropout: float = 0.0,
        skip: bool = True,
        width: int | Literal["auto"] = "auto",
        n_buckets: int | Literal["auto"] | None = "auto",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.normalization = normalization
        self.dropout = dropout
        self.skip = skip
        self.width = width
        self.n_buckets = n_buckets

    def suited(self, rows: Rows) -> MLP:
        """The same network for these training rows: with buckets where "auto" takes some."""
        takes = self.n_buckets == "auto" and rows.is_sparse and rows.n_features > MOST_COLUMNS
        return clone(self).set_params(n_buckets=N_BUCKETS) if takes else self

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module (n, n_features_in) -> (n, n_components)."""
        sizes = tuple(self.hidden_layer_sizes)
        whole = (isinstance(size, Integral) and not isinstance(size, bool) for size in sizes)
        if not all(whole) or any(size < 1 for size in sizes):
            raise ValueError(
                f"MLP: hidden_layer_sizes={self.hidden_layer_sizes!r} must hold integers of at "
                "least 1: type hidden_layer_sizes=(256, 256)."
            )
        read, n_in, share = reader(n_features_in, self.n_buckets)
        gain = nn.init.calculate_gain("tanh" if self.activation == "tanh" else "relu")
        widths = (n_in, *sizes)
        gains = (share * gain, *[gain] * len(sizes))
        layers = [self._layer(*each) for each in zip(widths, sizes, gains)]
        head = InputLayer(widths[-1], n_components, 1.0 if sizes else share)
        shortcut = InputLayer(n_in, n_components, share) if self.skip and sizes else None
        return _Layers(layers, head, shortcut, read)

    def _layer(self, n_in, n_out, gain):
        layer = [InputLayer(n_in, n_out, gain)]
        # No learned scale and shift: their gradients are summed over the batch in an
        # order that depends on the number of threads, and the next layer has its own.
        # One unit is not normalised over itself, which would make it constant.
        if self.normalization == "layer" and n_out > 1:
            layer.append(nn.LayerNorm(n_out, elementwise_affine=False))
        elif self.normalization == "batch":
            layer.append(nn.BatchNorm1d(n_out, affine=False))
        layer.append(ACTIVATIONS[self.activation]())
        if self.dropout > 0:
            layer.append(nn.Dropout(self.dropout))
        return nn.Sequential(*layer)


class _Layers(nn.Module):
    accepts_sparse = True

    def __init__(self, layers, head, shortcut, read):
        super().__init__()
        self.read = read
        self.layers = nn.ModuleList(layers)
        self.head = head
        self.shortcut = shortcut

    def forward(self, x):
        h = x = self.read(x)
        for h in self._hidden(x):  # noqa: B007
            pass
        z = self.head(h)
        return z if self.shortcut is None else z + self.shortcut(x)

    def hidden(self, x):
        """Each hidden layer of a batch, one after the other."""
        return self._hidden(self.read(x))

    def _hidden(self, x):
        h = x
        for i, layer in enumerate(self.layers):
            out = layer(h)
            # The first layer's input may be sparse, and has the shortcut.
            residual = i > 0 and self.shortcut is not None and out.shape == h.shape
            h = h + out if residual else out
            yield h


REGISTRY = "skcontrast.networks:NETWORKS"
NETWORK_CONSTRAINTS = [Shorthand(REGISTRY, "network"), nn.Module]


class _DenseInput(nn.Module):
    # For modules that know nothing of sparse batches.
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.to_dense() if isinstance(x, SparseBatch) else x)


def _dry_run(module, n_features_in, name):
    """Width of the module's output, from two rows of zeros."""
    parameter = next(module.parameters(), None)
    options = {}
    if parameter is not None and parameter.is_floating_point():
        options = {"dtype": parameter.dtype, "device": parameter.device}
    needed = f"it must map (n, {n_features_in}) to (n, n_components)"
    try:
        with torch.no_grad():
            out = module(torch.zeros(2, n_features_in, **options))
    except Exception as error:  # a user's code raises what it likes
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{name}: the {type(module).__name__} failed on a batch of shape "
            f"(2, {n_features_in}): {type(error).__name__}: {reason}; {needed}."
        ) from error
    if isinstance(out, torch.Tensor) and out.ndim == 2 and len(out) == 2 and out.shape[1] > 0:
        return out.shape[1]
    got = f"a tensor of shape {tuple(out.shape)}" if hasattr(out, "shape") else repr(type(out))
    raise ValueError(
        f"{name}: the {type(module).__name__} gave {got} for a batch of shape "
        f"(2, {n_features_in}); {needed}."
    )


def _build_module(module, n_features_in, n_components, name):
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    width = _dry_run(module, n_features_in, name)
    # As they were: a user may have frozen some parts in eval mode.
    for part, training in modes:
        part.training = training
    if n_components is not None and n_components != width:
        raise ValueError(
            f"{name}: the {type(module).__name__} gives {width} columns, but "
            f"n_components={n_components}: type n_components={width} or None."
        )
    if not getattr(module, "accepts_sparse", False):
        module = _DenseInput(module)
    return module, width


def build_network(
    network: str | Component | nn.Module,
    n_features_in: int,
    n_components: int | None = None,
    name: str = "network",
    width: int = DEFAULT_WIDTH,
) -> tuple[nn.Module, int]:
    """Make the torch module of a network.

    Parameters
    ----------
    network : str, component or nn.Module
        A name in ``NETWORKS``, a component, or a module, which is copied. A module whose
        attribute ``accepts_sparse`` is not True is given dense batches.

    n_features_in : int

    n_components : int, default=None
        Number of learned columns. None is what the network says itself, else ``width``.

    name : str, default="network"
        Parameter that messages speak of.

    width : int, default=256

    Returns
    -------
    module : nn.Module
        On the CPU, or where the user's module was.

    n_components : int
    """
    if isinstance(network, type):
        kind = network.__name__
        raise TypeError(f"{name}: got the class {kind}, not an object: type {kind}(...).")
    if isinstance(network, nn.Module):
        return _build_module(copy.deepcopy(network), n_features_in, n_components, name)
    network = resolve(network, REGISTRY)
    if hasattr(network, "as_module"):
        return _build_module(network.as_module(), n_features_in, n_components, name)
    own = getattr(network, "width", "auto")
    if n_components is not None and own not in ("auto", n_components):
        raise ValueError(
            f"{name}={one_line(network)} has {own} columns, but "
            f"n_components={n_components}: type one of the two."
        )
    if n_components is None:
        n_components = width if own == "auto" else int(own)
    return network.build(n_features_in, int(n_components)), int(n_components)


def build_projector(projector: str | Component | nn.Module | None, n_in: int) -> nn.Module:
    """Make the torch module between the embedding and the objective.

    Parameters
    ----------
    projector : str, component, nn.Module or None
        None passes the embedding through. "linear" is an affine map, "mlp" has one
        hidden layer as wide as the embedding, or 64 if that is wider, and no
        normalisation, which would leave two signs of an embedding of two columns.
        The output is as wide as the embedding, up to 128, or as a module says.

    n_in : int
        Width of the embedding.

    Returns
    -------
    module : nn.Module
    """
    if projector is None:
        return nn.Identity()
    if isinstance(projector, str) and projector == "mlp":
        projector = MLP((max(n_in, MIN_HIDDEN),), normalization=None, skip=False)
    return build_network(projector, n_in, name="projector", width=min(n_in, MAX_WIDTH))[0]
