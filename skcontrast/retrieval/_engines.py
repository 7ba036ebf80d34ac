"""What searches the rows of an EmbeddingIndex: exact products, faiss, pynndescent.

An engine takes rows by ``add``, has ``n_rows`` of them, gives them back by ``rows(part)`` and, by
``search(Q, k)``, distances (n_queries, k) that rise and row numbers.
"""

from importlib.util import find_spec

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from sklearn.neighbors import NearestNeighbors

from skcontrast.retrieval._exact import best_rows, unit


def distances(scores):
    """Cosines as distances from 0, of equal directions, to 2."""
    return np.clip(1 - scores, 0, 2)


class Brute:
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


class Faiss:
    """Faiss's graph of navigable small worlds (HNSW), over squared distances of float32 rows.

    Of unit rows the order is that of the cosines. A row of zeros, whose cosine with all is 0, is
    1 in a column that is 0 elsewhere: its squared distance from any unit row is then 2.
    """

    def __init__(self, metric, n_jobs, n_candidates):
        self.metric, self.n_jobs, self.n_candidates = metric, n_jobs, n_candidates
        self.index = None

    @property
    def n_rows(self):
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
        with _faiss(self.n_jobs) as faiss:
            if self.index is None:
                self.index = faiss.IndexHNSWFlat(X.shape[1], N_LINKS)
                self.index.hnsw.efConstruction = N_BUILD
            self.index.add(X)

    def rows(self, part):
        X = self.index.reconstruct_n(part.start, part.stop - part.start)
        return X[:, :-1] if self.metric == "cosine" else X

    def search(self, Q, k):
        X = self._placed(Q)
        with _faiss(self.n_jobs) as faiss:
            wide = faiss.SearchParametersHNSW(efSearch=max(k, self.n_candidates))
            square, ids = self.index.search(X, k, params=wide)
            # A walk over the graph may end before it has met k rows: then all are compared.
            short = np.flatnonzero((ids < 0).any(axis=1))
            if len(short):
                everything = self.index.reconstruct_n(0, self.n_rows)
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
N_LINKS, N_BUILD = 32, 64


class _faiss:
    """The module faiss, with the number of threads that joblib would take."""

    def __init__(self, n_jobs):
        self.n_threads = effective_n_jobs(n_jobs)

    def __enter__(self):
        import faiss

        self.faiss, self.before = faiss, faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(self.n_threads)
        return faiss

    def __exit__(self, *error):
        self.faiss.omp_set_num_threads(self.before)


class NNDescent:
    """Pynndescent's graph of neighbours; added rows are worked into it by a new descent."""

    def __init__(self, metric, n_jobs, n_candidates, seed):
        self.metric, self.n_jobs, self.n_candidates = metric, n_jobs, n_candidates
        self.seed, self.index, self.X = seed, None, None

    @property
    def n_rows(self):
        return 0 if self.X is None else len(self.X)

    def add(self, X):
        import pynndescent

        X = np.ascontiguousarray(X, dtype=np.float32)
        if self.index is not None:
            self.X = np.concatenate([self.X, X])
            self.index.update(xs_fresh=X)
        else:
            self.X = X
            self.index = pynndescent.NNDescent(
                X,
                metric=self.metric,
                n_neighbors=min(30, len(X)),
                random_state=self.seed,
                n_jobs=effective_n_jobs(self.n_jobs),
            )
        self.index.prepare()

    def rows(self, part):
        return self.X[part]

    def search(self, Q, k):
        # The k nearest of more are surer than k.
        wide = min(max(k, self.n_candidates), self.n_rows)
        ids, distance = self.index.query(np.ascontiguousarray(Q, dtype=np.float32), wide)
        return distance[:, :k], ids[:, :k].astype(np.int64)


# Algorithm -> module that has to be installed.
NEEDS = {"faiss": "faiss", "pynndescent": "pynndescent"}


def installed(algorithm):
    """Whether the module that an algorithm needs is there."""
    return algorithm not in NEEDS or find_spec(NEEDS[algorithm]) is not None
