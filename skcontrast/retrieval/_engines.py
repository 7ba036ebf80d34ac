"""What searches the rows of an EmbeddingIndex: exact products, faiss, pynndescent.

An engine takes rows by ``add``, has ``n_rows`` of them, gives them back by ``rows(part)`` and, by
``search(Q, k)``, distances (n_queries, k) that rise and row numbers. Engines are estimators so that
saved folders hold their parameters, and what they know: all attributes, or those of ``saved()``.
"""

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors

from skcontrast.retrieval._exact import best_rows, unit


def distances(scores):
    """Cosines as distances from 0, of equal directions, to 2."""
    return np.clip(1 - scores, 0, 2)


class Brute(BaseEstimator):
    """All distances, in the precision of the rows; these may be sparse."""

    def __init__(self, metric, n_jobs):
        self.metric, self.n_jobs = metric, n_jobs
        self.X = None

    @property
    def n_rows(self):
        return 0 if self.X is None else self.X.shape[0]

    def add(self, X):
        if self.metric == "cosine":
            X = unit(X)
        if self.X is not None:
            X = (sp.vstack if sp.issparse(X) else np.concatenate)([self.X, X])
        self.X = X.tocsr() if sp.issparse(X) else X

    def rows(self, part):
        return self.X[part]

    def search(self, Q, k):
        if self.metric == "euclidean":
            search = NearestNeighbors(algorithm="brute", n_jobs=self.n_jobs).fit(self.X)
            return search.kneighbors(Q, k)
        scores, ids = best_rows(unit(Q), self.rows, self.n_rows, k)
        return distances(scores), ids


class Faiss(BaseEstimator):
    """Faiss's graph of navigable small worlds (HNSW), over squared distances of float32 rows.

    Of unit rows the order is that of the cosines. A row of zeros, whose cosine with all is 0, is
    1 in a column that is 0 elsewhere: its squared distance from any unit row is then 2.

    Saved folders hold the rows, as a stranger's graph could lead faiss to any memory. There they
    are ``X``, of which the first search makes a graph.
    """

    def __init__(self, metric, n_jobs, n_candidates):
        self.metric, self.n_jobs, self.n_candidates = metric, n_jobs, n_candidates
        self.index = self.X = None

    def saved(self):
        return {"X": self.index.reconstruct_n(0, self.n_rows) if self.X is None else self.X}

    @property
    def n_rows(self):
        if self.X is not None:
            return len(self.X)
        return 0 if self.index is None else self.index.ntotal

    def _placed(self, X):
        """Rows as the index holds them."""
        if self.metric == "euclidean":
            return np.ascontiguousarray(X, dtype=np.float32)
        out = np.zeros((len(X), X.shape[1] + 1), dtype=np.float32)
        out[:, :-1] = unit(X)
        return out

    def add(self, X):
        X = self._placed(X)
        if self.metric == "cosine":
            X[~X.any(axis=1), -1] = 1
        if self.n_rows:
            with _faiss(self.n_jobs):
                self._graph().add(X)
        else:
            self.X = X
            self._graph()

    def _graph(self):
        """Faiss's index; where there is none yet, it is made of ``X``."""
        X = self.X
        if self.index is None:
            with _faiss(self.n_jobs) as faiss:
                index = faiss.IndexHNSWFlat(X.shape[1], N_LINKS)
                index.hnsw.efConstruction = N_BUILD
                index.add(X)
            self.index, self.X = index, None
        return self.index

    def rows(self, part):
        X = self._graph().reconstruct_n(part.start, part.stop - part.start)
        return X[:, :-1] if self.metric == "cosine" else X

    def search(self, Q, k):
        X, index = self._placed(Q), self._graph()
        with _faiss(self.n_jobs) as faiss:
            wide = faiss.SearchParametersHNSW(efSearch=max(k, in_view(self)))
            square, ids = index.search(X, k, params=wide)
            # A walk over the graph may end before it has met k rows: then all are compared.
            short = np.flatnonzero((ids < 0).any(axis=1))
            if len(short):
                everything = index.reconstruct_n(0, self.n_rows)
                square[short], ids[short] = faiss.knn(X[short], everything, k)
        if self.metric == "euclidean":
            return np.sqrt(np.maximum(square, 0)), ids
        distance = np.clip(square / 2, 0, 2)
        distance[~X.any(axis=1)] = 1
        return distance, ids

    def __getstate__(self):
        state = self.__dict__.copy()
        if self.index is not None:
            with _faiss(None) as faiss:
                state["index"] = faiss.serialize_index(self.index)
        return state

    def __setstate__(self, state):
        self.__dict__ = state
        if self.index is not None:
            with _faiss(None) as faiss:
                self.index = faiss.deserialize_index(self.index)


# Links of a row in faiss's graph, and how many rows are looked at to find them.
N_LINKS, N_BUILD = 32, 96
# Rows in view on a walk over a graph of so many rows or fewer.
IN_VIEW, FEW = 128, 20_000


def in_view(engine):
    """How many rows an engine keeps in view: "auto" grows with the root of their number."""
    if engine.n_candidates != "auto":
        return engine.n_candidates
    return int(IN_VIEW * max(1, engine.n_rows / FEW) ** 0.5)


class _faiss:
    """The module faiss, with the number of threads that joblib would take."""

    def __init__(self, n_jobs):
        self.n_threads = effective_n_jobs(n_jobs)

    def __enter__(self):
        self.faiss = needed("faiss")
        self.before = self.faiss.omp_get_max_threads()
        self.faiss.omp_set_num_threads(self.n_threads)
        return self.faiss

    def __exit__(self, *error):
        self.faiss.omp_set_num_threads(self.before)


class NNDescent(BaseEstimator):
    """Pynndescent's graph of neighbours; added rows are worked into it by a new descent."""

    def __init__(self, metric, n_jobs, n_candidates, seed):
        self.metric, self.n_jobs, self.n_candidates = metric, n_jobs, n_candidates
        self.seed, self.index, self.X = seed, None, None

    def saved(self):
        return {"X": self.X}

    def __getstate__(self):
        # Compiled code that runs on its arrays crashes where joblib has mapped them to memory.
        return {**self.__dict__, "index": None}

    @property
    def n_rows(self):
        return 0 if self.X is None else len(self.X)

    def add(self, X):
        X = np.ascontiguousarray(X, dtype=np.float32)
        if self.X is None:
            self.X = X
            self._graph()
        else:
            self._graph().update(xs_fresh=X)
            self.X = np.concatenate([self.X, X])
            self.index.prepare()

    def _graph(self):
        """Pynndescent's index; folders and pickles hold its rows alone."""
        if self.index is None:
            index = needed("pynndescent").NNDescent(
                self.X,
                metric=self.metric,
                n_neighbors=min(30, len(self.X)),
                random_state=self.seed,
                n_jobs=effective_n_jobs(self.n_jobs),
            )
            index.prepare()
            self.index = index
        return self.index

    def rows(self, part):
        return self.X[part]

    def search(self, Q, k):
        # The k nearest of more are surer than k.
        wide = min(max(k, in_view(self)), self.n_rows)
        ids, distance = self._graph().query(np.ascontiguousarray(Q, dtype=np.float32), wide)
        return distance[:, :k], ids[:, :k].astype(np.int64)


# Algorithm -> module that has to be installed.
NEEDS = {"faiss": "faiss", "pynndescent": "pynndescent"}


def installed(algorithm):
    """Whether the module that an algorithm needs is there."""
    return algorithm not in NEEDS or find_spec(NEEDS[algorithm]) is not None


def needed(algorithm):
    """The module that an algorithm needs."""
    if not installed(algorithm):
        raise ImportError(absent(algorithm))
    return import_module(NEEDS[algorithm])


def absent(algorithm):
    """What to do where the module of an algorithm is not installed."""
    return (
        f"algorithm={algorithm!r} needs the package {algorithm}: type pip install "
        "'skcontrast[knn]', or algorithm='brute'."
    )
