"""Equations of rows that are not points of a sphere: normal, von Mises-Fisher, hyperbolic."""

import math

import torch
from torch import Tensor

from skcontrast.functional._rows import dot, normalize, softplus, squared_distance

# Proposals for each draw: fewer than one in ten million finds none of them accepted.
PROPOSALS = 16


def gaussian_parameters(z: Tensor, least: float = 1e-4) -> tuple[Tensor, Tensor]:
    """Mean and variance (n, d) that columns (n, 2 d) hold: of an odd number, the last is idle."""
    d = z.shape[-1] // 2
    if d == 0:
        raise ValueError(
            "A normal distribution takes two columns for each of its dimensions, and there is one "
            "column: type n_components=2 or more."
        )
    return z[..., :d], softplus(z[..., d : 2 * d]) + least


def negative_divergence(q: Tensor, p: Tensor) -> Tensor:
    r"""Minus the Kullback-Leibler divergence of normal rows q from p: (n, 2 d), (m, 2 d) -> (n, m).

    Rows hold means and variances; it is an inner product and a constant of q.
    """
    (mean_q, q_var), (mean_p, p_var) = q.chunk(2, -1), p.chunk(2, -1)
    pulled = dot(torch.cat([q_var + mean_q.square(), mean_q], -1), _targets(mean_p, p_var))
    own = (mean_p.square() / p_var + p_var.log()).sum(-1)
    return pulled + (1 + q_var.log()).sum(-1, keepdim=True) / 2 - own / 2


def _targets(mean, variance):
    return torch.cat([-0.5 / variance, mean / variance], -1)


def draw_directions(direction: Tensor, concentration: Tensor, n_draws: int = 1) -> Tensor:
    r"""Draw from von Mises-Fisher distributions on the sphere, by rejection.

    Unit rows (n, d), d >= 2, and concentrations (n,) above 0 -> unit rows (n_draws, n, d). The
    gradient goes through what was accepted, as if it would be for any parameters.
    """
    m = direction.shape[-1] - 1
    kappa = concentration.expand(n_draws, -1)  # (S, n)
    shape = n_draws, *direction.shape
    # Drawn in single precision whatever the rows are: the same draws for both.
    with torch.no_grad():
        half = torch.full((PROPOSALS, *kappa.shape), m / 2, device=direction.device)
        # A check of the arguments, and a number from the host, would wait for the device.
        rate = torch.ones_like(half)
        gamma = torch.distributions.Gamma(half, rate, validate_args=False)
        first, second = gamma.sample((2,)).clamp_min(1e-30)
        beta = first / (first + second)
        chance = torch.rand_like(beta).clamp_min(1e-30).log()
        b, c = _envelope(kappa.detach().float(), m)
        gap = 2 * b * beta / (1 - (1 - b) * beta)  # 1 - w
        x0 = (1 - b) / (1 + b)
        # 1 - x0 w without the difference of two numbers near 1.
        short = (1 - x0) + x0 * gap
        accepted = kappa.detach().float() * (1 - gap) + m * short.log() - c >= chance
        chosen = accepted.to(torch.int8).argmax(0, keepdim=True)  # the first that is accepted
        beta = beta.gather(0, chosen)[0].to(direction.dtype)
        tangent = torch.randn(shape, device=direction.device).to(direction.dtype)
    b, _ = _envelope(kappa, m)
    gap = 2 * b * beta / (1 - (1 - b) * beta)
    tangent = tangent - (tangent * direction).sum(-1, keepdim=True) * direction
    across = (gap * (2 - gap)).clamp_min(1e-24).sqrt()
    return (1 - gap)[..., None] * direction + across[..., None] * normalize(tangent)


def _envelope(kappa, m):
    """Parameter b of the proposals, and what their acceptance is measured by."""
    b = m / (2 * kappa + (4 * kappa.square() + m * m).sqrt())
    x0 = (1 - b) / (1 + b)
    return b, kappa * x0 + m * (4 * b / (1 + b).square()).log()


def draws_contrast(positive: Tensor, negative: Tensor) -> Tensor:
    r"""Minus the logarithm of the mean chance of the positive over draws: (S, n), (S, n) -> (n,).

    Of each draw, the logit of the positive and the logarithm of the mean exponential of those of
    the negatives.
    """
    chance = -softplus(negative - positive)
    return math.log(len(chance)) - chance.logsumexp(0)


def exp_map(v: Tensor, curvature: float | Tensor = 1.0) -> Tensor:
    """Bring tangent rows at the origin to the hyperboloid of curvature -c: its space columns."""
    length = curvature**0.5 * torch.linalg.vector_norm(v, dim=-1, keepdim=True)
    length = length.clamp_min(1e-8)
    return length.clamp_max(math.asinh(2.0**15)).sinh() / length * v


def lorentz_excess(x: Tensor, y: Tensor, curvature: float | Tensor = 1.0) -> Tensor:
    r"""Hyperbolic cosine of the distance, less one, of space columns: (n, d), (m, d) -> (n, m).

    .. math:: \frac c2 \big( \lVert x - y \rVert^2 - (x_t - y_t)^2 \big), \qquad
        x_t = \sqrt{1/c + \lVert x \rVert^2}

    which loses no digits where rows are near each other.
    """
    xx, yy = x.square().sum(-1, keepdim=True), y.square().sum(-1)
    return _excess(squared_distance(x, y), xx, yy, curvature)


def partner_excess(x: Tensor, y: Tensor, curvature: float | Tensor = 1.0) -> Tensor:
    """The same of each row and its partner: (n, d), (n, d) -> (n,)."""
    return _excess((x - y).square().sum(-1), x.square().sum(-1), y.square().sum(-1), curvature)


def _excess(space, xx, yy, curvature):
    time = (xx - yy) / ((1 / curvature + xx).sqrt() + (1 / curvature + yy).sqrt())
    return curvature / 2 * (space - time.square())


def lorentz_distance(excess: Tensor, curvature: float | Tensor = 1.0) -> Tensor:
    """Distance on the hyperboloid, of what :func:`lorentz_excess` gives; flat below 1e-12."""
    t = excess.clamp_min(_least(excess))
    return torch.log1p(t + (t * (t + 2)).sqrt()) / curvature**0.5


def cone_violation(
    general: Tensor, special: Tensor, curvature: float | Tensor = 1.0, least_radius: float = 0.1
) -> Tensor:
    r"""How far each special row lies outside the cone of its general one: space columns -> (n,).

    The angle between the ray away from the origin and the way to the special row, less half the
    aperture :math:`\arcsin(2 K / (\sqrt c \lVert x \rVert))` of the cone, where it is above 0. A
    row lies in its own cone.
    """
    eps, edge = 1e-8, 1e-8 if general.dtype == torch.float64 else 1e-6
    length = torch.linalg.vector_norm(general, dim=-1)
    ratio = 2 * least_radius / (curvature**0.5 * length + eps)
    aperture = ratio.clamp(-1 + edge, 1 - edge).asin()
    gg, ss = general.square().sum(-1), special.square().sum(-1)
    general_time, special_time = (1 / curvature + gg).sqrt(), (1 / curvature + ss).sqrt()
    excess = partner_excess(general, special, curvature)
    t = excess.clamp_min(_least(excess))
    across = length * (t * (t + 2)).sqrt() + eps
    cosine = ((ss - gg) / (special_time + general_time) - t * general_time) / across
    outside = (cosine.clamp(-1 + edge, 1 - edge).acos() - aperture).relu()
    # At one place there is no way from one to the other, and no angle with a slope.
    return torch.where(excess > _least(excess), outside, 0)


def _least(excess):
    """What an excess below cannot be told from none."""
    return 1e-12 if excess.dtype == torch.float64 else 1e-7
