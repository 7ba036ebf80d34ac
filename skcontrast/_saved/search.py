"""What a folder may hold of a search: tables as in schema.py, and what has to agree."""

import numpy as np

from skcontrast._saved.blocks import need
from skcontrast.retrieval._codes import N_VALUES, groups_of

# More threads than any machine has, or rows in view on a walk, would be a trap.
MOST_JOBS, MOST_CANDIDATES = 1024, 2**31
_TABLE = """
    n_features_in_       whole d
    ?feature_names_in_   words d
"""
SEARCH = {
    "BM25Transformer": f"""
        {_TABLE}
        idf_                 float d >=0
        average_length_      number >0
    """,
    "EmbeddingIndex": f"""
        {_TABLE}
        algorithm_           str
        engine_              Brute/Faiss/NNDescent/Codes
        n_samples_fit_       whole
    """,
    "Brute": "X  table n d",
    "Faiss": "X  float n d",
    "NNDescent": "X  float n d",
    "ProductCodes": """
        codes                int n g
        turn                 float d d
        centres              list
    """,
    "SignCodes": """
        codes                int n b
        directions           float d t
        back                 float t d
        mean                 float d
    """,
    "LateInteraction": """
        n_features_in_       whole d
        n_documents_         whole n
        _parts               float p d
        _lengths             int n >=0
        _start               int *
    """,
    "Part": """
        n_documents          whole n
        ?vectors             table n *
    """,
    "HybridRetriever": """
        n_documents_         whole
        chosen_on_           none str
        mrr_                 scores
        weights_             float r >=0
        _names               list
        _parts               list
    """,
    "TwoStageRetriever": """
        n_documents_         whole n
        _first               Part
        _second              none Part
        _classifier          none estimator
        _rows                none real n *
    """,
    "RetrievalAugmenter": f"""
        {_TABLE}
        index_               estimator
        memory_values_       float n *
    """,
}
ENGINES = {
    "brute": ("Brute", lambda engine: engine.X.shape[1]),
    "faiss": ("Faiss", lambda engine: engine.X.shape[1] - (engine.metric == "cosine")),
    "pynndescent": ("NNDescent", lambda engine: engine.X.shape[1]),
    "codes": ("ProductCodes", lambda engine: len(engine.turn)),
    "signs": ("SignCodes", lambda engine: len(engine.mean)),
}


def _index(model):
    engine = model.engine_
    kind, width = ENGINES.get(model.algorithm_, (None, None))
    need(type(engine).__name__ == kind, "engine_ is not of algorithm_")
    need(engine.n_rows == model.n_samples_fit_ > 0, "n_samples_fit_ is not the rows of engine_")
    need(width(engine) == model.n_features_in_, "engine_ holds other columns")


def _engine(engine):
    need(engine.metric in ("cosine", "euclidean"), "metric of an engine is none")
    for name, most in (("n_jobs", MOST_JOBS), ("n_candidates", MOST_CANDIDATES), ("seed", 2**32)):
        value = getattr(engine, name, None)
        absent = value is None or name == "n_candidates" and value == "auto"
        known = absent or isinstance(value, int) and abs(value) < most
        need(known, f"{name} of an engine is no number that it could have")


def _product_codes(engine):
    d, n_groups = len(engine.turn), engine.codes.shape[1]
    need(0 < n_groups <= d and engine.codes.dtype == np.uint8, "codes are others")
    groups = groups_of(d, n_groups)
    for group, centres, column in zip(groups, engine.centres, engine.codes.T, strict=True):
        table = isinstance(centres, np.ndarray) and centres.dtype.kind == "f" and centres.ndim == 2
        fits = table and centres.shape[1] == len(group) and len(centres) <= N_VALUES
        need(fits and np.isfinite(centres).all(), "centres are of other columns, or hold NaN")
        need(column.max(initial=0) < len(centres), "codes name centres that there are not")


def _sign_codes(engine):
    same = engine.directions.shape[1] == 8 * engine.codes.shape[1]
    need(same and engine.codes.dtype == np.uint8, "codes are not as many as directions")


def _late(model):
    ends = np.cumsum(model._lengths)
    need(len(model._parts) == ends[-1], "_lengths are of other parts")
    need(np.array_equal(model._start, [0, *ends]), "_start is not where documents begin")


def _part(part):
    need(part.way is not None, "a retriever gives no scores, neighbours or vectors")
    need((part.way == "transform") == ("vectors" in vars(part)), "vectors are missing")
    own = getattr(part.last, "n_documents_", getattr(part.last, "n_samples_fit_", None))
    need(own in (None, part.n_documents), "a retriever searches other documents")


def _hybrid(model):
    n = len(model.weights_)
    known = all(type(part).__name__ == "Part" for part in model._parts)
    need(known and len(model._parts) == len(model._names) == n > 0, "_parts are not as weights_")
    same = all(part.n_documents == model.n_documents_ for part in model._parts)
    need(same and model.weights_.any(), "_parts search other documents, or none is asked")


def _two_stage(model):
    stages = [model._first, *filter(None, [model._second])]
    same = all(part.n_documents == model.n_documents_ for part in stages)
    need(same, "the stages search other documents")
    need((model._rows is None) == (model._second is not None), "_rows or a second stage is missing")
    judge = model._classifier
    if judge is not None:
        need(model._second is None and 1 in judge.classes_, "the classifier is none of pairs")


def _augmenter(model):
    known = hasattr(model.index_, "kneighbors")
    rows = getattr(model.index_, "n_samples_fit_", len(model.memory_values_))
    need(known and rows == len(model.memory_values_), "index_ is of other rows")


SEARCHES = {
    "EmbeddingIndex": _index,
    **dict.fromkeys(("Brute", "Faiss", "NNDescent"), _engine),
    "ProductCodes": _product_codes,
    "SignCodes": _sign_codes,
    "LateInteraction": _late,
    "Part": _part,
    "HybridRetriever": _hybrid,
    "TwoStageRetriever": _two_stage,
    "RetrievalAugmenter": _augmenter,
}
