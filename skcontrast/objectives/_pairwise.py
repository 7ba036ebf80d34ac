"""Pairwise: an objective of two views, over the pairs of several."""

from itertools import combinations
from typing import Any, Literal

import torch
from torch import nn

from skcontrast._component import Shorthand, StrOptions, Worded, did_you_mean, resolve
from skcontrast._inputs.several import prepared
from skcontrast.objectives._base import Objective
from skcontrast.objectives._info_nce import InfoNCE
from skcontrast.temperatures import Learned

# Named tensors of a batch that have a view for each block, and those of a single row.
BY_VIEW = ("embedding", "keys")


class _BuiltPairwise(nn.Module):
    """The objective of each pair, with what it learns: such as a temperature a pair."""

    def __init__(self, objective, n_samples):
        super().__init__()
        self.objective, self.n_samples = objective, n_samples
        self.names, self.pairs, self.terms = None, None, nn.ModuleList()

    def prepare(self, side, given, n_components=None):
        """Read the names of the blocks, and build a term for each pair of them."""
        rows = given.get("rows")
        self.names = getattr(rows, "names", None)
        if given.get("n_slots"):
            self._set_pairs(given["n_slots"])
        if getattr(rows, "present", None) is not None:
            self._check_met(rows)
        for term in self.terms:
            prepared(term, side, {**given, "n_slots": 2}, n_components)

    def refresh(self, epoch, project):
        for term in self.terms:
            if hasattr(term, "refresh"):
                term.refresh(epoch, project)

    def _set_pairs(self, n_views):
        self.pairs = self.objective.pairs_of(n_views, self.names)
        inner = self.objective.settled
        self.terms = nn.ModuleList(inner.build(self.n_samples) for _ in self.pairs)

    def _check_met(self, rows):
        """Raise where a pair has no two rows that have both blocks."""
        there = rows.present.cpu().double()
        met = there @ there.T
        least = self.objective.settled.min_rows
        for a, b, _ in self.pairs:
            if met[a, b] < least:
                raise ValueError(
                    f"Blocks {self.names[a]!r} and {self.names[b]!r} are both there in "
                    f"{int(met[a, b])} rows, and {least} or more are needed: type "
                    "Pairwise(pairs=[...]) without this pair, or pass rows that have both."
                )

    def forward(self, views, own=None, present=None, **named):
        if self.pairs is None:
            # Without a training, as where the objective is called on tensors.
            self._set_pairs(len(views))
            self.terms.to(views.dtype if views.dtype.itemsize > 4 else torch.float32)
        again = None if own is None or self.objective not in own else own[self.objective]["views"]
        total, weight = views.new_zeros(()), 0.0
        for (a, b, w), term in zip(self.pairs, self.terms):
            if a == b and again is None:
                raise ValueError(
                    "pairs='all+within' needs rows of several blocks, each seen twice: type "
                    "pairs='all', or MultiViewContrastiveEncoder."
                )
            both = torch.stack([again[a] if a == b else views[a], views[b]])
            by_view = {k: named[k][[a, b]] for k in BY_VIEW if named.get(k) is not None}
            pair = {**named, **by_view}
            if present is not None:
                kept = (present[a] & present[b]).nonzero()[:, 0]
                if len(kept) < self.objective.settled.min_rows:
                    continue
                both = both[:, kept]
                pair = {k: _rows(v, kept, k) for k, v in pair.items()}
            total = total + w * term(views=both, **pair).mean()
            weight = weight + w
        return total / weight if weight else views.sum() * 0.0


def _rows(value, kept, name):
    """What the rows ``kept`` have of a named tensor; other things as they are."""
    if not torch.is_tensor(value):
        return value
    return value[:, kept] if name in BY_VIEW else value[kept]


class Pairwise(Objective):
    r"""An objective of two views, over pairs of blocks.

    .. math:: L = \frac{1}{\sum_{ab} w_{ab}} \sum_{ab} w_{ab} \, \ell(z^a, z^b)

    over the rows that have both blocks; the others are no negatives of theirs either. Each pair
    has what the objective learns to itself, such as a temperature. With two blocks and the default
    objective it is the loss of CLIP and ALIGN.

    Parameters
    ----------
    objective : str, component or "auto", default="auto"
        The objective of a pair. "auto" is ``InfoNCE(form="two_way")`` with a learned temperature
        that starts at 0.1.

    pairs : str or list of tuples, default="all"
        "all" pairs; "all+within", of each block also the rows as they are with their view;
        "star:NAME", one block with each other one; or a list of (name, name) or (name, name,
        weight). Where views have no names, numbers stand for them.

    References
    ----------
    Radford et al., "Learning transferable visual models from natural language supervision", ICML
    2021. Jia et al., "Scaling up visual and vision-language representation learning with noisy
    text supervision", ICML 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import InfoNCE, Pairwise
    >>> views = torch.eye(4).expand(3, 4, 4)
    >>> Pairwise(InfoNCE(temperature=0.5, form="two_way"))(views).round(decimals=4)
    tensor(0.3408)
    """

    accepts_missing = True
    _shorthand = {"objective": "skcontrast.objectives:OBJECTIVES"}
    _parameter_constraints = {
        "objective": [Shorthand(_shorthand["objective"], "objective"), StrOptions({"auto"})],
        "pairs": [
            StrOptions({"all", "all+within"}),
            Worded("star:", "star:image"),
            list,
            tuple,
        ],
    }

    def __init__(
        self,
        objective: str | Objective | Literal["auto"] = "auto",
        pairs: Literal["all", "all+within"] | str | list | tuple = "all",
    ):
        self.objective = objective
        self.pairs = pairs

    def _settled(self, name: str, value: Any) -> Any:
        auto = name == "objective" and isinstance(value, str) and value == "auto"
        return InfoNCE(temperature=Learned(init=0.1), form="two_way") if auto else value

    def build(self, n_samples: int) -> nn.Module:
        inner = self.settled
        if inner.min_views > 2:
            raise ValueError(
                f"Pairwise compares two blocks at a time, and {inner!r} reads {inner.min_views}: "
                f"type objective={inner!r}, without Pairwise."
            )
        return _BuiltPairwise(self, n_samples)

    @property
    def settled(self) -> Objective:
        """The objective of a pair, as an object."""
        return resolve(self._settled("objective", self.objective), self._shorthand["objective"])

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors that the objective of a pair needs."""
        return self.settled.requires

    @property
    def target(self) -> str:
        """Which target is read."""
        return getattr(self.settled, "target", "y")

    @property
    def target_type(self) -> str:
        """What a target holds."""
        return self.settled.target_type

    @property
    def min_rows(self) -> int:
        """Fewest rows of a batch."""
        return self.settled.min_rows

    @property
    def whole_groups(self) -> bool:
        """Whether batches hold whole groups."""
        return self.settled.whole_groups

    def own_views(self, kind: str) -> dict[Objective, Any]:
        """The rows as they are, which "all+within" compares with their views."""
        return {self: None} if kind == "blocks" and self.pairs == "all+within" else {}

    def pairs_of(self, n_views: int, names: tuple[str, ...] | None = None) -> list[tuple]:
        """Which views are compared: (number, number, weight) of each pair.

        Parameters
        ----------
        n_views : int

        names : tuple of str, default=None
            Of the views; their numbers by default.
        """
        names = names or tuple(str(v) for v in range(n_views))
        every = [(a, b, 1.0) for a, b in combinations(range(n_views), 2)]
        if self.pairs == "all":
            return every
        if self.pairs == "all+within":
            return every + [(a, a, 1.0) for a in range(n_views)]
        if isinstance(self.pairs, str):
            center = self._number(self.pairs.removeprefix("star:"), names)
            return [(center, b, 1.0) for b in range(n_views) if b != center]
        found = [self._pair(pair, names) for pair in self.pairs]
        if not found:
            raise ValueError("Pairwise: pairs=[] compares nothing: type pairs='all'.")
        return found

    def _pair(self, pair, names):
        fits = isinstance(pair, (list, tuple)) and len(pair) in (2, 3)
        weight = pair[2] if fits and len(pair) == 3 else 1.0
        if not fits or not isinstance(weight, (int, float)) or not weight > 0:
            raise ValueError(
                f"Pairwise: {pair!r} is no pair: type ({names[0]!r}, {names[1]!r}), with a weight "
                "above 0 behind them or without."
            )
        a, b = self._number(pair[0], names), self._number(pair[1], names)
        if a == b:
            raise ValueError(
                f"Pairwise: {pair!r} pairs a block with itself: type pairs='all+within'."
            )
        return a, b, float(weight)

    def _number(self, name, names):
        if str(name) not in names:
            hint = did_you_mean(str(name), names)
            there = ", ".join(map(repr, names))
            raise ValueError(
                f"Pairwise: pairs={self.pairs!r} names the block {str(name)!r}, and there are "
                f"{there}.{hint}"
            )
        return names.index(str(name))
