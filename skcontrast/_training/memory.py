"""What a stream remembers: rows of earlier calls, which a call trains on beside its own."""

import numpy as np
import scipy.sparse as sp

from skcontrast._component import resolve, take_rows
from skcontrast._inputs.block_rows import CheckedBlocks
from skcontrast._inputs.blocks import is_missing
from skcontrast._inputs.columns import untorched
from skcontrast._inputs.side import check_one_each
from skcontrast._inputs.target import UNLABELLED, class_codes, joined_classes, parts_of
from skcontrast._inputs.tokens import Documents, number_words
from skcontrast.replay import RESERVOIRS


def remembered(estimator, call, X, given):
    """The memory of an estimator, and with its rows those of a call and what is beside them."""
    memory = Memory(estimator, call)
    return memory, *memory.beside(X, given)


class Memory:
    """The rows that an estimator keeps, on their way through one call.

    Parameters
    ----------
    estimator : estimator

    call : Call

    Attributes
    ----------
    policy : component or None
        What chooses the rows; None where none are kept.

    n_kept : int
        Number of rows that are trained on from earlier calls.
    """

    def __init__(self, estimator, call):
        self.call, replay = call, vars(estimator).get("replay")
        policy = None if replay is None or call.second else resolve(replay, RESERVOIRS)
        self.policy = policy if policy is not None and policy.size else None
        # A fit is the beginning of another stream.
        further = self.policy is not None and call.partial and call.further
        self.before = vars(estimator).get("memory_") if further else None
        self.n_kept = 0

    def beside(self, X, given):
        """Checked rows, and what stands beside them, with the kept ones before the new ones."""
        if self.policy is None:
            return X, given
        _check_kept(X)
        if isinstance(given.get("target"), dict) or hasattr(given.get("target"), "columns"):
            raise ValueError(
                "replay keeps labels without names: pass y as an array, or type replay=None."
            )
        if self.before is not None:
            given = {name: self._joined(name, value) for name, value in given.items()}
            kept = self.before["rows"]
            self.n_kept = n_rows(kept)
            X = joined(kept, X)
        self.n_rows = X.shape[0]
        self.given = {name: v for name, v in given.items() if v is not None}
        if "target" in self.policy.requires:  # before the training, which takes its time
            check_one_each(given["target"], self.n_rows, type(self.policy).__name__)
            self.codes, self.classes = class_codes(given["target"])
        else:
            self.codes, self.classes = np.full(self.n_rows, UNLABELLED), np.empty(0)
        return X, given

    def _joined(self, name, value):
        kept, argument = self.before.get(name), "y" if name == "target" else name
        if (value is None) != (kept is None):
            had, has = ("no", "has one") if kept is None else ("a", "has none")
            raise ValueError(
                f"replay keeps rows of earlier calls, which had {had} {argument}, and this call "
                f"{has}: pass {argument} in each call or in none, or type replay=None."
            )
        if value is None:
            return None
        if isinstance(value, (list, tuple)):
            return kept.tolist() + list(value)
        return np.concatenate([kept, _plain(value)])

    def side(self, objective, ordered):
        """Side information: ``replayed`` (n,), which rows are of earlier calls, if any are.

        Raises where single rows cannot be trained on.
        """
        readers = [c for c in parts_of([objective]) if getattr(c, "reads_replayed", False)]
        if readers and self.policy is None and not self.call.second:
            raise ValueError(
                f"{type(readers[0]).__name__} reads rows that replay keeps, and there are none: "
                "type replay='reservoir'."
            )
        if self.policy is not None and (ordered or objective.whole_groups):
            what = "rows in time order" if ordered else "all rows of a group together"
            raise ValueError(
                f"replay keeps single rows, and {what} are read here: type replay=None."
            )
        return {"replayed": np.arange(self.n_rows) < self.n_kept} if self.n_kept else {}

    def kept(self, X, seed):
        """The fitted attribute: what is kept of the rows that :meth:`beside` gave."""
        if self.policy is None:
            return {}
        classes, codes = self.classes, self.codes
        before = {"classes": classes[:0], "n_seen": np.zeros(1, dtype=np.int64)}
        before |= self.before or {}
        if len(before["classes"]):  # of which there need be no row any more
            classes = joined_classes(classes, before["classes"], "an earlier call")
            codes = np.append(np.searchsorted(classes, self.classes), UNLABELLED)[codes]
        n_seen = np.zeros(len(classes) + 1, dtype=np.int64)
        n_seen[np.append(np.searchsorted(classes, before["classes"]), -1)] = before["n_seen"]
        kept, new = codes[: self.n_kept], codes[self.n_kept :]
        index = self.policy.keep(kept, new, n_seen, np.random.default_rng([seed, 1]))
        np.add.at(n_seen, new, 1)
        beside = {name: _plain(value)[index] for name, value in self.given.items()}
        found = {"rows": packed(X, index), "classes": classes, "n_seen": n_seen}
        return {"memory_": found | beside}


def _check_kept(X):
    kinds = (np.ndarray, Documents, CheckedBlocks)
    if not (sp.issparse(X) or isinstance(X, kinds)):
        kinds = {"Recording": "a recording", "Stacked": "blocks of texts", "Streamed": "a stream"}
        what = kinds[type(X).__name__]
        raise ValueError(f"replay keeps single rows, and X is {what}: type replay=None.")


def _plain(value):
    """What stands beside rows as an array, whose entries are numbers, strings or None."""
    if sp.issparse(value):
        return value.toarray()
    dtype = object if isinstance(value, (list, tuple)) else None
    value = np.asarray(untorched(value), dtype=dtype)
    if value.dtype.kind == "O":
        entries = [None if is_missing(entry) else entry for entry in value.ravel()]
        value = np.array([*entries, None], dtype=object)[:-1].reshape(value.shape)
    return value


def packed(X, index):
    """The rows ``index`` of checked rows, as arrays and lists of words alone."""
    if isinstance(X, CheckedBlocks):
        blocks = {name: packed(block, index) for name, block in X.blocks.items()}
        present = np.ones((len(blocks), len(X)), dtype=bool) if X.present is None else X.present
        return {"blocks": blocks, "present": present[:, index]}
    if isinstance(X, Documents):
        ends = [X.offsets[index], X.offsets[index + 1]]
        words = np.array(X.vocabulary, dtype=object)
        return [words[X.ids[start:end]].tolist() for start, end in zip(*ends)]
    return np.asarray(X[index]) if isinstance(X, np.ndarray) else take_rows(X, index)


def n_rows(kept):
    """Number of rows that :func:`packed` gave."""
    if isinstance(kept, dict):
        return kept["present"].shape[1]
    return len(kept) if isinstance(kept, list) else kept.shape[0]


def joined(kept, X):
    """Checked rows with those before them that :func:`packed` gave."""
    if isinstance(X, CheckedBlocks):
        blocks = {name: joined(kept["blocks"][name], block) for name, block in X.blocks.items()}
        there = np.ones((len(blocks), len(X)), dtype=bool) if X.present is None else X.present
        present = np.hstack([kept["present"], there])
        return CheckedBlocks(blocks, None if present.all() else present, X.shape[1])
    if isinstance(X, Documents):
        return number_words([*kept, *packed(X, np.arange(len(X)))], X.counts)
    if sp.issparse(X):
        return sp.vstack([sp.csr_matrix(kept), X], format="csr", dtype=X.dtype)
    kept = kept.toarray() if sp.issparse(kept) else kept
    return np.concatenate([kept.astype(X.dtype, copy=False), X])
