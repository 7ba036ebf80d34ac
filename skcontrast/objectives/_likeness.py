"""How alike the labels of two rows are: shares of labels, common groups, tables of classes."""

import numpy as np
import torch

from skcontrast._inputs.columns import columns, first_line, holds_categories, one_line
from skcontrast.objectives._base import BuiltObjective


class BuiltLabelObjective(BuiltObjective):
    """An objective that compares labels, with its table of classes on the device.

    The objective has ``class_table()``, an array with a row for each class or None, and
    ``check_target(target, given)``, which raises where it cannot read a target. What it compares
    is the second that it requires: ``target``, or what is to stand for it.
    """

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        _, self.compared, *_ = objective.requires
        table = objective.class_table()
        table = None if table is None else torch.as_tensor(table)
        # A parameter as it was given, so it does not count as learned.
        self.register_buffer("table", table, persistent=False)
        self.checked = False

    def prepare(self, side, given, n_components=None):
        self.objective.check_target(side[self.compared], given.get(self.compared))
        self.checked = True

    def forward(self, views, **named):
        named["target"] = target = named[self.compared]
        # Called on tensors, without a fit before; elsewhere looking at them waits.
        if not self.checked and target.device.type == "cpu":
            self.objective.check_target(target)
        table = None if self.table is None else self.table.to(views.device)
        return super().forward(views, table=table, **named)


# ------------------------------------------------------- weights of pairs


def jaccard(a, b):
    """Share of common labels: indicators (r, t), (c, t) of 0 and 1 -> (r, c).

    It is 0 where both rows are without a label.
    """
    common = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1) - common
    return common / union.clamp_min(1)


def common_prefix(a, b, dtype):
    """Share of leading columns in which codes (r, t), (c, t) agree -> (r, c).

    An entry -1 is unknown, and agrees with nothing.
    """
    alike, length = True, 0
    for first, second in zip(a.T, b.T):  # a column at a time: (r, c, t) is never made
        first = first[:, None]
        alike = (first == second) & (first != -1) & alike
        length = length + alike.to(dtype)
    return length / a.shape[1]


def looked_up(table, a, b):
    """Entries of a table (C, C) for class codes (r,), (c,) -> (r, c), 0 for a code -1."""
    known = (a != -1)[:, None] & (b != -1)
    return torch.where(known, table[a.clamp_min(0).long()][:, b.clamp_min(0).long()], 0)


# ----------------------------------------------------------------- checks


def square_table(value, parameter, nonnegative=False):
    """Array (C, C) of finite numbers that a parameter gives for pairs of classes."""
    table = _table(value, parameter, "(n_classes, n_classes)", lambda s: s[0] == s[1])
    if nonnegative and (table < 0).any():
        raise ValueError(
            f"{parameter} holds {table.min():g}, and weights are not negative: pass an array of "
            "numbers from 0 on, such as similarities clipped at 0."
        )
    return table


def row_table(value, parameter):
    """Array (C, q) of finite numbers that a parameter gives for classes."""
    return _table(value, parameter, "(n_classes, n_columns)", lambda s: s[1] > 0)


def _table(value, parameter, shape, suits):
    try:
        table = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{parameter} must be an array of numbers of shape {shape}: {first_line(error)}"
        ) from None
    if table.ndim != 2 or not len(table) or not suits(table.shape):
        raise ValueError(
            f"{parameter} has the shape {table.shape}: pass an array of shape {shape}, with the "
            "classes in sorted order."
        )
    if not np.isfinite(table).all():
        raise ValueError(f"{parameter} holds NaN or infinity: pass finite numbers.")
    return table


def check_shape(objective, target, n):
    """Raise unless ``target`` has one class, or one row of labels, for each of ``n`` samples."""
    if objective.target_type == "class" and target.shape != (n,):
        raise ValueError(
            f"{type(objective).__name__} needs one class label for each of the {n} samples, got "
            f"a target of shape {tuple(target.shape)}: pass y of shape (n_samples,)."
        )
    if objective.target_type == "labels" and (target.ndim != 2 or len(target) != n):
        raise ValueError(
            f"{one_line(objective)} needs a row of labels for each of the {n} samples, got a "
            f"target of shape {tuple(target.shape)}: pass y of shape (n_samples, n_columns)."
        )


def check_classes(target, table, parameter, exact):
    """Raise where a table has no row for a class, or too many when told the whole target."""
    n_classes = int(target.max()) + 1
    if n_classes > len(table) or (exact and n_classes < len(table)):
        raise ValueError(
            f"{parameter} is for {len(table)} classes, but y has {n_classes}: pass one row for "
            "each class of y, in sorted order; -1 (unlabelled) is no class."
        )


def check_indicators(target, given, parameter):
    """Raise unless the rows of ``target`` (n, t) hold 0 and 1, or -1 throughout."""
    advice = (
        "1 where a row has a label, 0 where it has not, or -1 in all columns of an unlabelled row"
    )
    if given is not None and not hasattr(given, "toarray"):
        for name, column in columns(given):
            if holds_categories(column) and any(isinstance(v, str) for v in column):
                raise ValueError(
                    f"{parameter} needs columns of 0 and 1, but column {name} of y holds strings: "
                    f"pass {advice}."
                )
    wrong = (target != 0) & (target != 1) & ~(target == -1).all(1, keepdim=True)
    if bool(wrong.any()):
        raise ValueError(
            f"{parameter} needs columns of 0 and 1, but y holds {target[wrong][0].item()}: "
            f"pass {advice}."
        )
