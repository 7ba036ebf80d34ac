r"""The input, and what is known of it without training, beside the learned columns.

.. math:: e(x) = \big[\, c(x), \; a_z z(x), \; a_\phi \phi(x), \; a_q q(x), \; a_r r(x),
    \; a_s s(x) \,\big]

with the standardised columns c (or their leading directions, where they are many), the learned
embedding z, features :math:`\phi` of a Gaussian kernel of [c, q, r], the ranks q of columns that
are far from normal, shares r of local patterns where columns lie beside each other in time or
place, and s, the mean of [c, q, r] over the nearest training rows. Parts after the first are
centred, and the factors give them a fixed share of the variance of c: a linear model on e can
do what it could do on c, and little else until labels say so.
"""

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits
from torch import nn

from skcontrast._component import did_you_mean
from skcontrast._inputs.rows import CHUNK, standardized
from skcontrast._training.embed import checked_output
from skcontrast.representation._fit import kept_on_error
from skcontrast.representation._parts import Columns, Kernel, Neighborhood, Ranks
from skcontrast.representation._patterns import Patterns, layout

# Rows from which the directions of many columns are found, and all that comes after.
MOST_ROWS, FEWER_ROWS = 20_000, 6_000
# Variance of a part over that of the columns (of ranks: of the columns that have them).
SHARES = {"learned": 0.3, "kernel": 0.15, "ranks": 0.5, "patterns": 0.3, "neighborhood": 0.3}
# What may stand beside the learned columns. Sets without long tails have no ranks, and those
# whose columns lie in no order no patterns.
PARTS = ("columns", "ranks", "patterns", "kernel", "neighborhood")
_FITTED = ("parts_", "part_means_", "part_scales_", "part_columns_", "_parts_wanted")


class PassthroughMixin:
    """``_run`` and ``_output`` of an encoder with the parameter ``passthrough``."""

    def _run(self, X, given, fresh, max_iter, partial=False, objective=None):
        with kept_on_error(self):
            wanted = self._wanted_parts()
            super()._run(X, given, fresh, max_iter, partial, objective)
            if fresh or wanted != getattr(self, "_parts_wanted", ()):
                for name in _FITTED:
                    vars(self).pop(name, None)
            if wanted:
                # Drawn apart from training, which the parts take no part in.
                rng = np.random.default_rng(0)
                rows = np.sort(rng.permutation(X.shape[0])[:MOST_ROWS])
                with threadpool_limits(1, user_api="blas"):  # last bits depend on their number
                    self._fit_parts(X[rows], wanted, rng)
        return self

    def _wanted_parts(self):
        """Names of the parts to have beside the learned columns."""
        wanted = self.passthrough
        if isinstance(wanted, (list, tuple)):
            for name in wanted:
                if name not in PARTS:
                    hint = did_you_mean(str(name), PARTS)
                    raise ValueError(
                        f"passthrough={wanted!r} holds {name!r}, which is no part: type some of "
                        f"{', '.join(map(repr, PARTS))}, or True for all.{hint}"
                    )
            return tuple(name for name in PARTS if name in wanted)
        if wanted == "auto":
            wanted = self.n_components is None and not isinstance(self.network, nn.Module)
        return PARTS if wanted else ()

    def _fit_parts(self, X, wanted, rng):
        """Fit the parts to rows; in further training the scale of the learned columns alone."""
        S = standardized(X, self.mean_, self.scale_)
        again = hasattr(self, "parts_")
        if not again:
            self.parts_ = {"columns": Columns().fit(S, rng)}
            self.part_means_, self.part_scales_ = {}, {}
        rows = np.sort(rng.permutation(S.shape[0])[:FEWER_ROWS])
        X, S = X[rows], S[rows]
        if not again:
            self._fit_unlearned(S, wanted, rng)
            self._parts_wanted = wanted
        learned = self._embed(X)
        variance = self.parts_["columns"].transform(S).var(axis=0).sum()
        self.part_means_["learned"] = learned.mean(axis=0)
        self.part_scales_["learned"] = _factor(SHARES["learned"] * variance, learned)
        self.part_columns_, start = {}, 0
        parts = self._unlearned(S[:1]) | {"learned": learned}
        for name in ("columns", "learned", *PARTS[1:]):
            # The columns may be there for the other parts alone.
            if name in parts and name in (*wanted, "learned"):
                stop = start + parts[name].shape[1]
                self.part_columns_[name], start = (start, stop), stop
        self._n_features_out = start

    def _fit_unlearned(self, S, wanted, rng):
        """Fit the parts after the columns, but the learned one, to standardised rows."""
        C = self.parts_["columns"].transform(S)
        shape = None if sp.issparse(S) else layout(S - S.mean(axis=0))
        ordered = shape is not None
        if ordered and "patterns" in wanted:
            patterns = Patterns(*shape).fit(S, rng)
            self._keep_part("patterns", patterns, patterns.transform(S), C)
        elif not ordered and "ranks" in wanted and _are_columns(S, self.parts_["columns"]):
            ranks = Ranks().fit(S)
            if len(ranks.columns_):
                self._keep_part("ranks", ranks, ranks.transform(S), C[:, ranks.columns_])
        lifted = self._lifted(S, C)
        for name, part in (("kernel", Kernel()), ("neighborhood", Neighborhood())):
            if name in wanted:
                part.fit(lifted, rng)
                self._keep_part(name, part, part.transform(lifted), C)

    def _keep_part(self, name, part, values, columns):
        """A fitted part, centred, with its share of the variance of the columns."""
        self.parts_[name] = part
        self.part_means_[name] = values.mean(axis=0)
        self.part_scales_[name] = _factor(SHARES[name] * columns.var(axis=0).sum(), values)

    def _scaled(self, name, values):
        return (values - self.part_means_[name]) * self.part_scales_[name]

    def _lifted(self, S, C):
        """Columns beside their ranks or patterns: what kernel and neighbourhood see."""
        names = [name for name in ("ranks", "patterns") if name in self.parts_]
        parts = [self._scaled(name, self.parts_[name].transform(S)) for name in names]
        return np.hstack([self.parts_["columns"].compared(C), *parts])

    def _unlearned(self, S):
        """Values of each part but the learned one, of standardised rows."""
        C = self.parts_["columns"].transform(S)
        lifted = self._lifted(S, C)
        parts = {"columns": C}
        for name in ("ranks", "patterns"):
            if name in self.parts_:
                parts[name] = lifted[:, -len(self.part_means_[name]) :]
        for name in ("kernel", "neighborhood"):
            if name in self.parts_:
                parts[name] = self._scaled(name, self.parts_[name].transform(lifted))
        return parts

    def _output(self, X):
        learned = self._embed(X)
        if not hasattr(self, "parts_"):
            return learned
        out = np.empty((X.shape[0], self._n_features_out), dtype=learned.dtype)
        for start in range(0, X.shape[0], CHUNK):
            rows = slice(start, start + CHUNK)
            parts = self._unlearned(standardized(X[rows], self.mean_, self.scale_))
            parts["learned"] = self._scaled("learned", learned[rows])
            for name, (first, last) in self.part_columns_.items():
                out[rows, first:last] = parts[name]
        return checked_output(out, X, self.weights_)


def _are_columns(S, columns):
    """Whether the part ``columns`` gives dense columns of the input, and not directions."""
    return not sp.issparse(S) and columns.components_ is None


def _factor(variance, part):
    own = part.var(axis=0, dtype=np.float64).sum()
    return float(np.sqrt(variance / own)) if own > 0 and variance > 0 else 1.0
