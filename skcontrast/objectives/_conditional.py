"""Conditional InfoNCE: contrasts that are told about a side variable, by a kernel."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions, warn
from skcontrast.functional import distinct, normalize, pair_sums
from skcontrast.kernels import KERNEL_CONSTRAINTS, Kernel
from skcontrast.objectives._base import PairObjective, Temperature
from skcontrast.objectives._info_nce import positive_similarity
from skcontrast.objectives._kernel import BuiltKernelObjective, precise, smoother

# Bounds of the sums in the published code.
LOWEST, HIGHEST = math.log(1e-7), math.log(1e20)
# Weights that count as none, and as all.
VANISHED, MOSTLY = 1e-6, 0.5


class ConditionalInfoNCE(PairObjective):
    r"""InfoNCE with positives or negatives drawn given a side variable (CCL-K).

    Drawing rows of the same value of the side variable c needs several rows of each value.
    Instead, a kernel k on c weighs the rows of the batch: with K_ij = k(c_i, c_j),

    .. math::

        A = (K + \lambda I)^{-1} K, \qquad
        M_i = \sum_j A_{ij} e^{s(x_i, y_j)/\tau}

    estimates the mean of :math:`e^{s(x_i, y)/\tau}` over y given :math:`c_i`. With unit
    rows x, y of two views, cosines s and :math:`E_{ij} = e^{s(x_i, y_j)/\tau}`,

    .. math::

        l_i^{weak} = -\log \frac{M_i}{M_i + \sum_{j \ne i} E_{ij}}, \qquad
        l_i^{fair} = l_i^{hard} = -\log \frac{E_{ii}}{E_{ii} + (n - 1) M_i}

    Every row of every view is an anchor. With more than two views the loss of an anchor
    is the mean over the other views.

    Parameters
    ----------
    mode : {"weak", "fair", "hard"}, default="weak"
        "weak": positives are drawn given c: rows with alike attributes are pulled
        together. "fair": negatives are drawn given c, so that c does not help to tell
        rows apart. "hard": the same with c the embedding of the row itself, so that
        negatives are rows that are alike already.

    kernel : str or component, default="auto"
        Kernel k: a name in :data:`skcontrast.kernels.KERNELS` or an object from
        :mod:`skcontrast.kernels`. "auto" is :class:`~skcontrast.kernels.Mixed`, which
        takes an RBF kernel for numbers, equality for categories and columns of few values,
        and their product for both.

    regularization : float, default=0.01
        Strength lambda of the ridge.

    temperature : float, str or component, default=0.2
        Temperature tau: a positive number or "learned".

    form : {"paper", "reference"}, default="paper"
        "paper": as above. "reference": as in the published code, where x_i is compared
        with the other rows of its own view too, the diagonal of K is set to one, that of
        A to zero (so in mode "weak" the other view of a row is no positive, but stays in
        the denominator), and the sums are kept between 1e-7 and 1e20.

    diagonal : {"keep", "zero"}, default=None
        Diagonal of A; None keeps it in the paper's form, and sets it to zero in the other.

    clip : float, default=1e-6
        Smaller entries of A, the negative ones among them, count as zero: the sums stand
        in a logarithm.

    normalize : bool, default=False
        Whether the weights of each row are scaled to sum to one.

    inverse_gradient : bool, default=False
        Whether the gradient goes through A in mode "hard"; else the embedding is held
        constant in it.

    See Also
    --------
    skcontrast.KernelConditionalContrastive : The estimator.

    Notes
    -----
    The published kernels are ``RBF(gamma=1 / temp_z)``, ``GammaExponential(power=1,
    gamma=1 / temp_z)`` ("laplacian"), ``Cosine()``, ``1 / temp_z * Linear()`` and
    ``1 / temp_z * Polynomial(degree=3, gamma=1, coef0=0)``.

    References
    ----------
    Tsai et al., "Conditional contrastive learning with kernel", ICLR 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import ConditionalInfoNCE
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> condition = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    >>> objective = ConditionalInfoNCE(temperature=0.5)
    >>> objective(views, condition=condition).mean().round(decimals=4)
    tensor(0.5416)
    """

    _module = BuiltKernelObjective

    _parameter_constraints = {
        "mode": [StrOptions({"weak", "fair", "hard"})],
        "kernel": KERNEL_CONSTRAINTS,
        "regularization": [Interval(Real, 0, None, closed="neither")],
        "temperature": PairObjective._parameter_constraints["temperature"],
        "form": [StrOptions({"paper", "reference"})],
        "diagonal": [StrOptions({"keep", "zero"}), None],
        "clip": [Interval(Real, 0, 1, closed="left")],
        "normalize": ["boolean"],
        "inverse_gradient": ["boolean"],
    }
    _shorthand = {**PairObjective._shorthand, "kernel": "skcontrast.kernels:KERNELS"}

    def __init__(
        self,
        mode: Literal["weak", "fair", "hard"] = "weak",
        kernel: str | Kernel = "auto",
        regularization: float = 0.01,
        temperature: Temperature = 0.2,
        form: Literal["paper", "reference"] = "paper",
        diagonal: Literal["keep", "zero"] | None = None,
        clip: float = 1e-6,
        normalize: bool = False,
        inverse_gradient: bool = False,
    ):
        self.mode = mode
        self.kernel = kernel
        self.regularization = regularization
        self.temperature = temperature
        self.form = form
        self.diagonal = diagonal
        self.clip = clip
        self.normalize = normalize
        self.inverse_gradient = inverse_gradient

    @property
    def side_name(self) -> str | None:
        """Named tensor that the kernel compares, when it is side information."""
        return None if self.mode == "hard" else "condition"

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors that the mode needs."""
        return ("views", self.side_name or "embedding")

    @property
    def takes_target_as_condition(self) -> bool:
        """Whether ``y`` serves where no condition is given."""
        return self.mode == "weak"

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        kernel: Callable,
        condition: Tensor | None = None,
        embedding: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,)."""
        z = normalize(views)
        tau = temperature(positive_similarity(z).detach(), None)
        smoothers = self.smoothers(views, kernel, condition, embedding)
        losses = []
        for i, x in enumerate(z):
            A = smoothers[i % len(smoothers)].to(x.dtype)  # (n, n)
            others = [self._of_pair(x, y, A, tau) for j, y in enumerate(z) if j != i]
            losses.append(sum(others) / len(others))
        return torch.cat(losses)

    def smoothers(
        self,
        views: Tensor,
        kernel: Callable,
        condition: Tensor | None = None,
        embedding: Tensor | None = None,
    ) -> list[Tensor]:
        """Weights A (n, n), one for all views or, in mode "hard", one for each."""
        reference = self.form == "reference"
        zero = self.diagonal == "zero" or (self.diagonal is None and reference)
        out = []
        for rows in self._conditions(views, condition, embedding):
            A = smoother(
                rows,
                kernel,
                self.regularization,
                detach=not self.inverse_gradient,
                unit_diagonal=reference,
                zero_diagonal=zero,
                clip=self.clip,
                indefinite="solve" if reference else "raise",
            )
            if self.normalize:
                A = A / A.sum(1, keepdim=True).clamp_min(torch.finfo(A.dtype).tiny)
            out.append(A)
        return out

    def _conditions(self, views, condition, embedding):
        # Without a network around it: the views are the embeddings.
        embedding = views if embedding is None else embedding
        return list(embedding) if self.mode == "hard" else [condition]

    def _of_pair(self, x, y, A, tau):
        """Loss of the rows x (n, d) of one view against those y of another: -> (n,)."""
        n = len(x)
        reference = self.form == "reference"
        P = A  # row i: the weights of y_1 ... y_n to anchor i, as A is symmetric
        off_diagonal = distinct(slice(0, n), slice(0, n), x.device)
        W = None
        if reference:
            P = torch.cat([P, P], 1)
            W = torch.cat([torch.ones_like(off_diagonal), off_diagonal], 1)
        elif self.mode == "weak":
            W = off_diagonal
        candidates = torch.cat([y, x]) if reference else y
        # A is (n, n) anyway: nothing is gained by tiles.
        sums = pair_sums(x, candidates, lambda r, c: (P, W), tau, block_size=len(candidates))
        own = (x * y).sum(-1) / tau
        log_mean = sums.log_positive
        if reference:
            return self._clamped(own, log_mean, sums.log_partition, n)
        if self.mode == "weak":
            # Without any weight left, the other view of the row is the positive.
            log_mean = torch.where(log_mean.isneginf(), own, log_mean)
            return torch.logaddexp(log_mean, sums.log_partition) - log_mean
        return torch.logaddexp(own, log_mean + math.log(n - 1)) - own

    def _clamped(self, own, log_mean, log_partition, n):
        if self.mode == "weak":
            log_mean = log_mean.clamp(LOWEST, HIGHEST)
            total = torch.logaddexp(log_mean, log_partition)
            return total.clamp(LOWEST, HIGHEST) - log_mean
        total = torch.logaddexp(own, log_mean + math.log(n - 1))
        return total.clamp(LOWEST, HIGHEST) - own

    # -------------------------------------------------------------- advice

    def check_side(self, rows: Tensor) -> None:
        """Look at the condition of all training rows, once."""
        if bool((rows == rows[:1]).all()):
            if self.mode == "weak":
                raise ValueError(
                    "condition is the same in all rows, so that every row would be a positive "
                    "of every other: pass one that varies, or type objective='info_nce'."
                )
            warn(
                "condition is the same in all rows: this trains like InfoNCE. Pass one that "
                "varies, or type objective='info_nce'.",
            )

    def advice(
        self,
        views: Tensor,
        kernel: Callable,
        condition: Tensor | None = None,
        embedding: Tensor | None = None,
        **named: Any,
    ) -> list[str]:
        """What is wrong with the weights of a batch: a list of messages."""
        rows = precise(self._conditions(views, condition, embedding)[0])
        K = kernel(rows)(rows, rows)
        A = smoother(rows, kernel, self.regularization, indefinite="solve")
        off = distinct(slice(0, len(rows)), slice(0, len(rows)), rows.device)
        own, others = A.diagonal().abs(), (A * off).abs()
        nearest = (K * off).abs().amax(1) / K.diagonal().abs().clamp_min(1e-300)
        near = nearest >= VANISHED
        alone = 1 - near.double().mean().item()
        found = []
        if alone > MOSTLY:
            found.append(
                f"{alone:.0%} of the rows of a batch have no other row near in the kernel "
                f"{self.kernel!r}, so that their weights vanish: type a smaller gamma, a kernel "
                "for categories such as 'delta', or a larger batch_size."
            )
        elif self.mode != "hard" and others.amax(1)[near].median() < 0.01 * own[near].median():
            found.append(
                f"regularization={self.regularization:g} is so small that each row keeps all "
                "weight to itself, which turns the condition off: type a larger "
                "regularization, or a smaller gamma of the kernel."
            )
        signed = ((A * off).clamp_max(0).abs().sum() / others.sum().clamp_min(1e-300)).item()
        if signed > MOSTLY:
            found.append(
                f"{signed:.0%} of the weight that the kernel {self.kernel!r} gives to other rows "
                "is negative and is left out, as it stands in a logarithm: type a kernel that "
                "is not negative, such as 'rbf', or a larger regularization."
            )
        if self.form == "reference" and not bool(((K.diagonal() - 1).abs() < 1e-6).all()):
            found.append(
                f"form='reference' sets the diagonal of the kernel {self.kernel!r} to one, which "
                "may leave it indefinite: type form='paper', or a kernel such as 'cosine'."
            )
        return found
