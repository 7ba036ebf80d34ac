"""Rows that belong together: one is drawn as the view of another."""

from collections.abc import Callable

import numpy as np
import torch

from skcontrast._inputs.rows import Rows


def partners(rows: Rows, view: Callable) -> Callable:
    """Make the view that replaces a row by another one of its group, then changes it.

    A row that is alone in its group stays itself. Rows held out for early stopping are
    given rows that are held out too.

    Parameters
    ----------
    rows : Rows
        With the side information ``pairs``.

    view : callable
        ``(x, index) -> x'``.
    """
    home = rows.index_device
    trained = np.zeros(rows.n_rows, dtype=np.int64)
    trained[rows.train_index.cpu().numpy()] = 1
    key = 2 * rows.side["pairs"].cpu().numpy() + trained
    _, code, count = np.unique(key, return_inverse=True, return_counts=True)
    by_group = np.argsort(code, kind="stable")
    place = np.empty(rows.n_rows, dtype=np.int64)
    place[by_group] = np.arange(rows.n_rows)
    start = np.cumsum(count) - count
    # By row: members of its group, where they begin in ``order``, and its place among them.
    found = by_group, count[code], start[code], place - start[code]
    order, members, first, own = (torch.as_tensor(a, device=home) for a in found)

    def partner(x, index):
        index = index.to(home)
        n = members[index]
        # Another place than its own, all equally likely.
        step = 1 + (torch.rand(len(index), device=home) * (n - 1)).floor().to(torch.int64)
        step = step.minimum((n - 1).clamp_min(1))
        other = order[first[index] + (own[index] + step) % n]
        return view(rows.take(other), other)

    return partner
