"""One case of a golden file: its arrays, and what was compared with them."""

import json
import re

import numpy as np
import torch

# Case prefixes are ``c0_`` or ``case0_``; the numbers have gaps.
_KEY = re.compile(r"^(c(?:ase)?\d+)_(.+)$")
# Name of the one case of a file whose keys have no such prefix.
WHOLE = "whole"
# Keys that hold what a reference gives; each must be compared or waived with a reason.
_EXPECTED = re.compile(r"(^|_)(loss|grad)(_|\d|$)")


def case_names(path):
    """Names of the cases in a file, in order."""
    with np.load(path) as arrays:
        names = {match[1] for key in arrays.files if (match := _KEY.match(key))}
    return sorted(names, key=lambda name: int(re.sub(r"\D", "", name))) or [WHOLE]


class Case:
    """Inputs and expected outputs of one case; remembers what was compared."""

    rtol = 1e-9

    def __init__(self, path, name):
        self.name = f"{path.stem} {name}"
        self.path = path
        # The tolerances that come with the vectors: the kernel part is given to 1e-10.
        self.atol = 1e-10 if name.startswith("case") else 1e-11
        with np.load(path) as arrays:
            self.arrays = {
                match[2]: arrays[key]
                for key in arrays.files
                if (match := _KEY.match(key)) and match[1] == name
            }
            if name == WHOLE:
                self.arrays = {key: arrays[key] for key in arrays.files}
        self.compared = set()
        self.waived = {}

    def __contains__(self, key):
        return key in self.arrays

    @property
    def config(self):
        """Hyperparameters of a case that stores them as JSON."""
        return json.loads(self.arrays["config"].item())

    def number(self, key):
        """A hyperparameter."""
        return self.arrays[key].item()

    def constant(self, key):
        """A tensor without a gradient, in its own dtype."""
        return torch.tensor(self.arrays[key])

    def leaf(self, key):
        """A fresh float64 tensor that collects a gradient."""
        return torch.tensor(self.arrays[key], dtype=torch.float64, requires_grad=True)

    def leaves(self, *keys):
        """Several of them."""
        return [self.leaf(key) for key in keys]

    def check(self, key, value, rtol=None, atol=None, expected=None):
        """Compare ``value`` with what is stored under ``key``, or made of it."""
        value = value.detach().numpy() if torch.is_tensor(value) else np.asarray(value)
        expected = self.arrays[key] if expected is None else np.asarray(expected)
        assert value.shape == expected.shape, f"{self.name}: shape of {key}"
        np.testing.assert_allclose(
            value,
            expected,
            rtol=self.rtol if rtol is None else rtol,
            atol=self.atol if atol is None else atol,
            err_msg=f"{self.name}: {key}",
        )
        self.compared.add(key)

    def check_loss(self, key, loss, **gradients):
        """Compare a loss, and its gradients given as ``key=leaf``."""
        self.check(key, loss)
        for leaf in gradients.values():
            leaf.grad = None
        loss.backward()
        for name, leaf in gradients.items():
            self.check(name, leaf.grad)

    def waive(self, reason, *keys):
        """Say why expected values are not compared."""
        self.waived.update(dict.fromkeys(keys, reason))

    def finish(self):
        """Fail if nothing was compared, or an expected value was left out."""
        assert self.compared, f"{self.name}: the adapter compared nothing"
        expected = {key for key in self.arrays if _EXPECTED.search(key)}
        forgotten = sorted(expected - self.compared - set(self.waived))
        assert not forgotten, f"{self.name}: not compared: {', '.join(forgotten)}"


def tangent(gradient, unit):
    """Part of the rows of ``gradient`` that is orthogonal to the rows of ``unit``."""
    return gradient - (gradient * unit).sum(-1, keepdim=True) * unit
