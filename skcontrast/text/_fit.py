"""Fitting skip-gram vectors to documents, and pooling documents with them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from skcontrast._component import check_parameters, warn
from skcontrast._inputs.documents import token_lists
from skcontrast._training.devices import resolve_device
from skcontrast._typing import Documents, Self
from skcontrast.text._corpus import Corpus, Options, starting_tables
from skcontrast.text._parts import encode_all
from skcontrast.text._pooling import common_components, pool, sif_weights, without
from skcontrast.text._vocabulary import count, encode, has_neighbours, taken
from skcontrast.text._word_vectors import WordVectorsMixin, warn_zeros

# Parameters that a solver takes as they are.
_TAKEN = [name for name in Options._fields if name not in ("device", "n_jobs", "seed")]


class SkipGramFitMixin(WordVectorsMixin):
    """``fit``, ``partial_fit`` and ``transform`` of an estimator with skip-gram's parameters."""

    def partial_fit(self: Self, X: Documents, y: Any = None) -> Self:
        """Go through documents once more, from the vectors as they are.

        The first call makes the vocabulary of its documents, or takes ``vocabulary``;
        later calls keep it and leave other words out. The learning rate stays at
        ``learning_rate``. With pooling="sif", what is taken away is that of these documents.

        Parameters
        ----------
        X : iterable of str or of lists of str

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        solver, device = self._chosen_solver(partial=True)
        if not hasattr(self, "embedding_"):
            vocabulary, corpus = self._read(token_lists(X, self))
            index, counts, start, past = vocabulary.index, vocabulary.counts, None, []
            seed = self._draw_seed()
        else:
            if self.n_components != self.embedding_.shape[1]:
                raise ValueError(
                    f"n_components={self.n_components}, but the vectors that were fitted have "
                    f"{self.embedding_.shape[1]} entries: set it back, or call fit."
                )
            index, past = self.vocabulary_, list(self.loss_curve_)
            corpus = self._read_more(X)
            counts = self.counts_ + count(corpus, len(index))
            seed = getattr(self, "_seed", None)
            seed = self._draw_seed() if seed is None else seed
            start = self._start(corpus, seed)
            if not (np.diff(corpus.offsets) > 1).any():
                self.counts_ = counts
                return self
        # Each call draws its own random numbers.
        step = int(np.random.SeedSequence([seed, len(past)]).generate_state(1)[0] >> 1)
        once = {"seed": step, "max_iter": 1, "min_learning_rate": self.learning_rate}
        trained = self._train(solver, device, corpus, counts, start, **once)
        self._keep(index, counts, corpus, trained, past, seed)
        return self

    def _read_more(self, X):
        """Further documents by the vocabulary that is there; what it lacks is said."""
        n_known = len(self.vocabulary_)
        corpus, new = encode_all(token_lists(X, self), self.vocabulary_)
        often = np.bincount(corpus.ids)[n_known:] >= self.min_count
        if self.vocabulary is None and often.any():
            warn(
                f"{often.sum()} word(s) of X, such as {new[int(often.argmax())]!r:.60}, are not in "
                f"vocabulary_, which partial_fit keeps, though they occur min_count="
                f"{self.min_count} times: they are left out. Pass vocabulary= at the start, or "
                "call fit with all documents."
            )
        lost = set() if self.vocabulary is None else set(self.vocabulary) - set(self.vocabulary_)
        if lost:
            warn(
                f"{len(lost)} word(s) of vocabulary=, such as {min(lost)!r:.60}, are not in "
                "vocabulary_, which partial_fit keeps: they are left out. Call fit in its place."
            )
        return taken(corpus, corpus.ids < n_known)

    def _start(self, corpus, seed):
        """Vectors to go on from; words that had none yet get random ones."""
        tables = self.embedding_, self.context_embedding_
        new = np.flatnonzero(has_neighbours(corpus, len(self.counts_)))
        new = new[~self.embedding_[new].any(axis=1)]
        if not len(new):
            return tables
        given = {"n_components": self.n_components, "objective": self.objective, "seed": seed}
        drawn = starting_tables(len(new), Options(**given))
        tables = tuple(table.copy() for table in tables)
        for table, rows in zip(tables, drawn):
            table[new] = rows
        return tables

    def _fit(self, X, again=False):
        check_parameters(self)
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate={self.min_learning_rate} is above "
                f"learning_rate={self.learning_rate}: type a smaller one, 0 for instance."
            )
        chosen = self._chosen_solver()
        vocabulary, corpus = self._read(token_lists(X, self))
        seed = self._draw_seed()
        trained = self._train(*chosen, corpus, vocabulary.counts, None, seed=seed)
        self._keep(vocabulary.index, vocabulary.counts, corpus, trained, [], seed)
        return corpus

    def _chosen_solver(self, partial=False):
        """Module of the solver and device."""
        device, name = resolve_device(self.device), self.solver
        if self.n_jobs == 0:
            raise ValueError("n_jobs=0 is no number of threads: type 1, or None, or -1 for all.")
        if self.pooling == "sif" and self.n_removed >= self.n_components:
            raise ValueError(
                f"n_removed={self.n_removed} takes away all of n_components="
                f"{self.n_components} directions: type a smaller n_removed."
            )
        if name == "spectral":
            if partial:
                raise ValueError("solver='spectral' has no partial_fit: type solver='block'.")
            if self.objective == "margin":
                raise ValueError(
                    "objective='margin' has no spectral solution: type solver='block' or "
                    "objective='sgns'."
                )
        available = name in ("auto", "numba") and _module("numba").available()
        if name == "numba" and not available:
            raise ImportError(
                "solver='numba' needs numba: type pip install numba, or solver='block'."
            )
        if name == "auto":
            name = "numba" if available and device.type == "cpu" else "block"
        return _module(name), device

    def _train(self, solver, device, corpus, counts, start, **changed):
        given = {name: getattr(self, name) for name in _TAKEN}
        given.update(changed, device=device, n_jobs=effective_n_jobs(self.n_jobs))
        trained = solver.train(corpus, counts, Options(**given), start)
        if start is None:
            # Of the other words nothing is known: a random vector would say that there is.
            unknown = ~has_neighbours(corpus, len(counts))
            trained.embedding[unknown] = trained.context[unknown] = 0
        return trained

    def _keep(self, index, counts, corpus, trained, past, seed):
        common = None
        if self.pooling == "sif":
            weights = sif_weights(counts, self.sif_a)
            X = pool(corpus, trained.embedding, weights=weights)
            common = common_components(X, self.n_removed)
        self.vocabulary_, self.counts_ = index, counts
        self.embedding_, self.context_embedding_ = trained.embedding, trained.context
        self.loss_curve_ = [*past, *map(float, trained.loss_curve)]
        self.n_iter_ = len(self.loss_curve_)
        self._seed = seed
        if common is not None:
            self.common_components_ = common
        elif hasattr(self, "common_components_"):
            del self.common_components_

    def _vectors(self, documents):
        # What was just fitted is encoded already.
        fitted = isinstance(documents, Corpus)
        corpus = documents if fitted else encode(documents, self.vocabulary_)
        corpus, weights = self._met(corpus), None
        if self.pooling == "sif":
            if not hasattr(self, "common_components_"):
                raise ValueError(
                    "pooling='sif' takes counts and documents, which were not there when this was "
                    "fitted or read: call fit or partial_fit, or type pooling='mean'."
                )
            weights = sif_weights(self.counts_, self.sif_a)
        X = pool(corpus, self.embedding_, "max" if self.pooling == "max" else "mean", weights)
        warn_zeros(X)
        return X if weights is None else without(X, self.common_components_)


def _module(solver):
    return import_module(f"skcontrast.text._{solver}")
