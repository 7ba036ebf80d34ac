"""The tangent kernel: how alike two rows are to a network that was trained."""

import copy
from functools import partial
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skcontrast._component import HasMethods, Integral, Interval, StrOptions, check_parameters
from skcontrast._inputs.rows import to_batch
from skcontrast._training.devices import DTYPES, device_at_hand
from skcontrast._training.fitted import encoder_of
from skcontrast._typing import Estimator
from skcontrast.kernels._base import Built, Kernel
from skcontrast.kernels._gradients import BATCH_NORMS, Network, Projection, summation

# Rows that the network is tried on when the kernel is built.
TRIED_ROWS = 3


class Source:
    """The network behind a module or fitted estimator, and the way of rows (n, width) into it."""

    def __init__(self, model, width):
        model = _thawed(model)
        self.before, self.batch = None, partial(to_batch, mean=None, scale=None)
        self.width, self.name = width, type(model).__name__
        if isinstance(model, nn.Module):
            self.module = _checked_module(model)
            first = next(model.parameters(), None)
            self.device = torch.device("cpu") if first is None else first.device
            return
        encoder, head = model, None
        if hasattr(model, "steps"):
            encoder, head = self._split(model)
        encoder = _thawed(encoder)
        _check_encoder(encoder)
        source = encoder.input_
        width = source.n_features
        if self.before is not None and width != encoder.n_features_in_:
            raise ValueError(
                f"TangentKernel: the {type(encoder).__name__} of the Pipeline was fitted on a "
                "DataFrame with categories or missing values: pass it without the Pipeline, and "
                "the rows that its input_.expansion_.transform gives."
            )
        self._check_width(width if self.before is None else getattr(model, "n_features_in_", width))
        self.module, self.batch = encoder_of(encoder), source.batch
        self.device = device_at_hand(encoder.device)
        if head is not None:
            if encoder.output_.parts:
                raise ValueError(
                    f"TangentKernel: the linear model reads more than what the "
                    f"{type(encoder).__name__} learned: fit it with passthrough=False."
                )
            self.module = nn.Sequential(self.module, head)

    def _split(self, pipeline):
        """Encoder and linear head of a pipeline; what comes before stays NumPy."""
        last, end = _thawed(pipeline[-1]), len(pipeline.steps) - 1
        head = None
        if end > 0 and not _is_encoder(last):
            if not hasattr(last, "coef_"):
                raise TypeError(
                    f"TangentKernel: the Pipeline ends in a {type(last).__name__} without coef_: "
                    "pass a fitted Pipeline that ends in an encoder, or in a linear model on one."
                )
            coef = torch.as_tensor(np.atleast_2d(last.coef_))
            intercept = torch.as_tensor(np.broadcast_to(last.intercept_, len(coef)).copy())
            head, end = nn.Linear(coef.shape[1], len(coef), dtype=coef.dtype), end - 1
            head.load_state_dict({"weight": coef, "bias": intercept})
        if end > 0:
            self.before = pipeline[:end].transform
        return pipeline[end], head

    def _check_width(self, expected):
        if self.width != expected:
            raise ValueError(
                f"TangentKernel: the rows have {self.width} columns, but the {self.name} was "
                f"fitted on {expected}."
            )

    def rows(self, x, network):
        """Rows as the network sees them: tensor (n, d) -> tensor."""
        x = x.detach().cpu().double().numpy()
        x = x if self.before is None else self.before(x)
        x = x.toarray() if sp.issparse(x) else np.asarray(x)
        return self.batch(x, dtype=network.dtype, device=network.device)


def _thawed(estimator):
    """The encoder itself, which may be frozen, or be held by an estimator with a head."""
    if isinstance(estimator, FrozenEstimator):
        return _thawed(estimator.estimator)
    return _thawed(estimator.encoder_) if hasattr(estimator, "encoder_") else estimator


def _is_encoder(estimator):
    return hasattr(estimator, "_embed_rows")


def _check_encoder(encoder):
    name = encoder.__name__ if isinstance(encoder, type) else type(encoder).__name__
    if isinstance(encoder, type) or not _is_encoder(encoder):
        raise TypeError(
            f"TangentKernel: {name} is no encoder of skcontrast that was made and fitted: pass "
            "one, a Pipeline with one, or a torch module."
        )
    try:
        check_is_fitted(encoder, "weights_")
    except NotFittedError:
        raise NotFittedError(
            f"TangentKernel: the {name} is not fitted: call its fit first."
        ) from None


def _checked_module(module):
    for name, part in module.named_modules():
        if not isinstance(part, BATCH_NORMS):
            continue
        place = f"its {type(part).__name__} {name!r}" if name else "it"
        if part.running_mean is None:
            raise ValueError(
                f"TangentKernel: the output of the {type(module).__name__} for a row depends on "
                f"other rows, as {place} keeps no running mean: type track_running_stats=True."
            )
        if part.training:
            raise ValueError(
                f"TangentKernel: the output of the {type(module).__name__} for a row depends on "
                f"other rows, as {place} is in training mode: call eval() on the module."
            )
    return module


def _is_same(a, b):
    """Whether two tensors are the same rows in memory."""
    return a is b or (
        a.data_ptr() == b.data_ptr() and a.shape == b.shape and a.stride() == b.stride()
    )


class _Tangent:
    """Tiles of the kernel matrix, normalised, in the dtype of the rows."""

    def __init__(self, source, network, sums, normalize, block_size):
        self.source, self.network, self.sums = source, network, sums
        self.normalize = normalize
        self.step = sums.rows_at_once if block_size is None else block_size

    def _tiles(self, a):
        return [slice(start, start + self.step) for start in range(0, len(a), self.step)]

    def _factor(self, diagonal):
        """1 / |g|, and 0 for rows without a gradient: of shape (n,)."""
        if not diagonal.isfinite().all():
            raise ValueError(
                f"TangentKernel: the gradients of the {self.source.name} are not finite for some "
                "rows: scale X, or type dtype='float64'."
            )
        positive = diagonal > torch.finfo(diagonal.dtype).tiny
        return torch.where(positive, torch.where(positive, diagonal, 1).rsqrt(), 0)

    # Gradients cannot be taken of tensors made in inference mode.
    @torch.inference_mode(False)
    def pairs(self, a, b):
        same = _is_same(a, b)
        K = torch.empty(len(a), len(b), dtype=a.dtype, device=a.device)
        for i in self._tiles(a):
            left = self.source.rows(a[i], self.network)
            for j in self._tiles(b):
                if same and j.start < i.start:
                    continue
                twice = same and i == j
                right = None if twice else self.source.rows(b[j], self.network)
                tile, first, second = self.sums.sums(left, right)
                factors = self._factor(first)[:, None], self._factor(second)
                if self.normalize:
                    tile = tile * factors[0] * factors[1]
                    if twice:  # and not 1 give or take the rounding
                        tile.diagonal().copy_(factors[1] > 0)
                K[i, j] = tile.to(K)
                if same and not twice:
                    K[j, i] = tile.T.to(K)
        return K

    @torch.inference_mode(False)
    def diagonal(self, a):
        out = torch.empty(len(a), dtype=a.dtype, device=a.device)
        for i in self._tiles(a):
            diagonal = self.sums.diagonal(self.source.rows(a[i], self.network))
            factor = self._factor(diagonal)
            out[i] = ((factor > 0).to(diagonal) if self.normalize else diagonal).to(out)
        return out


class TangentKernel(Kernel):
    r"""Tangent kernel of a network: rows are alike that training would move together.

    With :math:`g_c(x) = \nabla_\theta f_c(x)` the gradient of output c with respect to the P
    parameters, in evaluation mode,

    .. math::

        K(x, x') = \sum_{c=1}^{C} \langle g_c(x), g_c(x') \rangle, \qquad
        k(x, x') = \frac{K(x, x')}{\sqrt{K(x, x)\, K(x', x')}}

    K is the trace of the empirical neural tangent kernel over the outputs. A small step of
    gradient descent on row :math:`x'` changes the outputs for x in proportion to it, which
    makes it the kernel that a network can be explained by:
    :func:`skcontrast.inspection.attribute`.

    Parameters
    ----------
    model : fitted encoder, Pipeline or nn.Module
        An encoder of this package, whose standardisation is applied, so that the kernel is one
        of the rows that ``transform`` takes; a Pipeline that ends in such an encoder, or in a
        linear model on it, which is then part of the network; or a module that maps (n, d)
        to (n, C). All parameters that require a gradient count.

    form : {"trace", "sum"}, default="trace"
        "trace" is the formula above. "sum" takes the gradient of the sum of the outputs
        instead, :math:`\langle \sum_c g_c(x), \sum_c g_c(x') \rangle`, C times cheaper and
        coarser.

    normalize : bool, default=True
        Whether to give the cosine k, or else K. The square roots are of sums over outputs. A
        row without any gradient has cosine 0 with every row, itself too.

    n_projections : int or None, default=None
        Multiply gradients by a random matrix with so many columns, the same one for every
        output. K is right in expectation, with a relative error of order
        1 / sqrt(n_projections). None: no projection. Encoders and others that consist of
        affine layers and activations are faster without.

    projection : {"rademacher", "normal"}, default="rademacher"
        Entries of this matrix, scaled to the variance 1 / n_projections.

    random_state : int, default=0
        Seed of the matrix. A number, as the kernel is built again for every prediction.

    dtype : {"float32", "float64"}, default="float32"
        What gradients and their sums are computed in.

    block_size : int or None, default=None
        Rows whose gradients are held at once; None: as many as take some 256 MiB.

    Notes
    -----
    The model is not trained or changed. A clone of the kernel has a copy of the model, fitted
    as it is: a classifier that was fitted with the kernel does not change when the model is
    trained further. Parameters of the model are not parameters of the kernel.

    Cost of a pair of rows: 2 C P operations, or 2 C K with K projections. Where all parameters
    belong to affine layers on vectors, as in the networks of this package, gradients are outer
    products, and 2 C times the sum of the layers' widths are enough.

    The gradient of K with respect to rows is not given.

    References
    ----------
    Jacot, Gabriel and Hongler, "Neural tangent kernel: convergence and generalization in
    neural networks", NeurIPS 2018.

    Engel et al., "Faithful and efficient explanations for neural networks via neural tangent
    kernel surrogate models", ICLR 2024.

    Park et al., "TRAK: attributing model behavior at scale", ICML 2023, for projections.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from skcontrast.kernels import TangentKernel
    >>> X = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> TangentKernel(nn.Linear(2, 3), normalize=False)(X)  # 3 (<x, x'> + 1)
    array([[ 6.,  3.],
           [ 3., 15.]])
    """

    _parameter_constraints = {
        "model": [nn.Module, HasMethods(["fit"])],
        "form": [StrOptions({"trace", "sum"})],
        "normalize": ["boolean"],
        "n_projections": [Interval(Integral, 1, None, closed="left"), None],
        "projection": [StrOptions({"rademacher", "normal"})],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "dtype": [StrOptions({"float32", "float64"})],
        "block_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        model: Estimator | nn.Module,
        form: Literal["trace", "sum"] = "trace",
        normalize: bool = True,
        n_projections: int | None = None,
        projection: Literal["rademacher", "normal"] = "rademacher",
        random_state: int = 0,
        dtype: Literal["float32", "float64"] = "float32",
        block_size: int | None = None,
    ):
        self.model = model
        self.form = form
        self.normalize = normalize
        self.n_projections = n_projections
        self.projection = projection
        self.random_state = random_state
        self.dtype = dtype
        self.block_size = block_size

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the kernel; ``deep`` or not, those of the fitted model are left out."""
        return super().get_params(deep=False)

    def __sklearn_clone__(self):
        # scikit-learn would clone an estimator without its fit. A copy, not the object itself:
        # what was fitted with the kernel must not change with the model.
        params = self.get_params()
        params["model"] = copy.deepcopy(self.model)
        return type(self)(**params)

    @torch.inference_mode(False)
    def _build(self, x, categorical):
        check_parameters(self)
        source = Source(self.model, x.shape[1])
        network = Network(source.module, DTYPES[self.dtype], source.device)
        rows = source.rows(x[:TRIED_ROWS], network)
        projection = None
        if self.n_projections is not None:
            size = sum(p.numel() for p in network.parameters.values())
            projection = Projection(
                int(self.n_projections), self.projection, int(self.random_state), size
            )
        sums = summation(network, rows, self.form, projection)
        built = _Tangent(source, network, sums, self.normalize, self.block_size)
        return Built(built.pairs, built.diagonal)
