"""Contrast with mixtures of rows on a line: the equations of SupReMix."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from skcontrast.functional._anchors import over_anchors
from skcontrast.functional._rows import BlockSize, distinct, logsumexp, softplus

# Power of the distance in the weight of a negative, d^power + 1.
MIXTURE_WEIGHTS = {"linear": 1, "quadratic": 2, "none": None}


class Between(NamedTuple):
    """Pairs of rows whose targets lie around that of an anchor; each field is (S, M)."""

    below: torch.Tensor  # row j, with y_j < y_i
    above: torch.Tensor  # row k, with y_k > y_i
    keep: torch.Tensor  # bool: whether there is such a pair


def mixed_contrast(
    z: Tensor,
    y: Tensor,
    sample: Tensor,
    tau: float | Tensor,
    share: Tensor | None = None,
    between: Between | None = None,
    weighting: Literal["linear", "quadratic", "none"] = "linear",
    block_size: BlockSize = "auto",
) -> tuple[Tensor, ...]:
    r"""Loss of each anchor with given mixtures.

    Parameters
    ----------
    z : tensor of shape (S, d)

    y : tensor of shape (S,)
        Targets, NaN for unlabelled rows.

    sample : int tensor of shape (S,)
        Rows of one number are views of one sample, and positives of each other.

    tau : float or tensor of shape ()

    share : tensor of shape (S, S), default=None
        Entry (i, k): the share of row i in its mixture with row k, a negative of i. It is
        not read where the targets are equal or one is missing. None mixes none.

    between : Between, default=None
        Pairs that are mixed to positives of each anchor.

    weighting : {"linear", "quadratic", "none"}, default="linear"

    block_size : int, "auto" or None, default="auto"
        Anchors at a time; "auto" chooses by size, None takes all.

    Returns
    -------
    loss : tensor of shape (S,)
        0 for an anchor without positives.

    valid : bool tensor of shape (S,)
    """
    power = MIXTURE_WEIGHTS[weighting]
    labelled = ~y.isnan()
    y = torch.where(labelled, y, 0)

    def log_weight(distance):
        # Of a power of 2 that overflows, the logarithm does not.
        return 0 if power is None else softplus(power * distance.log()).to(z.dtype)

    def anchors(rows):
        every = slice(0, len(z))
        both = labelled[rows, None] & labelled
        distance = torch.where(both, (y[rows, None] - y).abs(), 0)
        others = distinct(rows, every, z.device)
        same = (sample[rows, None] == sample) | (both & (distance == 0))
        positive = same & others
        s = z[rows] @ z.T / tau  # (r, S)
        logits, kept = [s + log_weight(distance)], [others]
        mass, total = positive.sum(1), torch.where(positive, s, 0).sum(1)
        # Mixtures are held constant, and so are the similarities to them linear: a mixture
        # of rows need not be formed.
        constant = z.detach()
        fixed = z[rows] @ constant.T / tau
        if share is not None:
            differ = both & (distance > 0)
            part = torch.where(differ, share[rows], 0).to(z.dtype)
            own = (z[rows] * constant[rows]).sum(1, keepdim=True) / tau
            mixed = part * own + (1 - part) * fixed
            logits.append(mixed + log_weight((1 - part) * distance))
            kept.append(differ)
        if between is not None:
            j, k, keep = (field[rows] for field in between)
            span = torch.where(keep, y[k] - y[j], 1)
            part = ((y[k] - y[rows, None]) / span).clamp(0, 1).to(z.dtype)
            mixed = part * fixed.gather(1, j) + (1 - part) * fixed.gather(1, k)
            logits.append(mixed)
            kept.append(keep)
            mass, total = mass + keep.sum(1), total + torch.where(keep, mixed, 0).sum(1)
        # One sum over all: rows and mixtures that were shifted each by their own maximum
        # could not be added up.
        partition = logsumexp(torch.cat(logits, 1), torch.cat(kept, 1))
        valid = mass > 0
        loss = torch.where(valid, partition - total / mass.clamp_min(1), 0)
        return loss, valid

    return over_anchors(anchors, len(z), len(z), block_size)


def draw_between(y: Tensor, window: float, n_pairs: int) -> Between:
    """Draw pairs of rows around each anchor, all of them where there are few.

    Parameters
    ----------
    y : tensor of shape (S,)
        Targets, NaN for unlabelled rows.

    window : float
        Both rows are nearer than this to the anchor.

    n_pairs : int
        Most pairs of an anchor, M. No pair is drawn twice, and each is as likely.

    Returns
    -------
    between : Between
    """
    unlabelled = y.isnan()
    value, order = torch.where(unlabelled, torch.inf, y).sort(stable=True)
    y = torch.where(unlabelled, torch.inf, y)
    # Of the sorted rows, first .. last is the range of those below, and of those above.
    first_below = torch.searchsorted(value, y - window, right=True)
    n_below = (torch.searchsorted(value, y) - first_below).clamp_min(0)
    first_above = torch.searchsorted(value, y, right=True)
    n_above = (torch.searchsorted(value, y + window) - first_above).clamp_min(0)
    number, keep = distinct_numbers(n_below * n_above, n_pairs)  # (S, M)
    stride = n_above.clamp_min(1)[:, None]
    below = first_below[:, None] + number // stride
    above = first_above[:, None] + number % stride
    last = len(y) - 1
    return Between(order[below.clamp_max(last)], order[above.clamp_max(last)], keep)


def distinct_numbers(total, m):
    """Draw up to m distinct numbers below each entry of total (S,): numbers and keep (S, m).

    The range is cut into m nearly equal parts, with one number out of each, and turned by a
    random step, which makes up for what is uneven about the parts.
    """
    total = total[:, None]
    part = torch.arange(m, device=total.device)
    n_parts = total.clamp(1, m)
    start, stop = part * total // n_parts, (part + 1) * total // n_parts
    # Remainders of numbers as large as these are uniform for every purpose.
    draws = torch.randint(2**62, (len(total), m + 1), device=total.device)
    number = start + draws[:, 1:] % (stop - start).clamp_min(1) + draws[:, :1] % total.clamp_min(1)
    return number % total.clamp_min(1), part < total
