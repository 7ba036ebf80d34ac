"""scikit-learn's checks on the estimators of search whose input is a table."""

import inspect

import pytest
import test_common
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcontrast import retrieval
from skcontrast.retrieval import (
    BM25Transformer,
    EmbeddingIndex,
    HybridRetriever,
    LateInteraction,
    RetrievalAugmenter,
    TwoStageRetriever,
)
from skcontrast.retrieval._engines import NEEDS, installed

TABLES = [
    BM25Transformer(),
    BM25Transformer(variant="bm25+"),
    EmbeddingIndex(3),
    EmbeddingIndex(3, metric="euclidean"),
    EmbeddingIndex(3, algorithm="codes", random_state=0),
    EmbeddingIndex(3, algorithm="signs", random_state=0),
    *(EmbeddingIndex(3, algorithm=name, random_state=0) for name in NEEDS if installed(name)),
    RetrievalAugmenter(n_neighbors=3),
    RetrievalAugmenter(n_neighbors=3, fusion="attention"),
    TwoStageRetriever(EmbeddingIndex(algorithm="signs", random_state=0)),
]
# Their input is documents, or lists of arrays: they have tests of their own.
OTHERS = {HybridRetriever, LateInteraction}


def unlike_scikit_learn(estimator):
    """Check -> why an estimator does not pass it."""
    if isinstance(estimator, RetrievalAugmenter):
        reason = "fit_transform leaves a row out of its own neighbours, transform cannot"
        return dict.fromkeys(
            ("check_transformer_general", "check_transformer_data_not_an_array"), reason
        )
    return {}


def test_every_estimator_is_tested():
    public = [getattr(retrieval, name) for name in retrieval.__all__]
    found = {v for v in public if inspect.isclass(v) and hasattr(v, "fit")}
    assert found == {type(e) for e in TABLES} | OTHERS


@parametrize_with_checks(TABLES, expected_failed_checks=unlike_scikit_learn)
def test_scikit_learn(estimator, check):
    check(estimator)


TRANSFORMERS = [e for e in TABLES if hasattr(e, "transform")]


@pytest.mark.parametrize("estimator", TRANSFORMERS, ids=repr)
@pytest.mark.parametrize("name", test_common.UNLISTED)
def test_scikit_learn_unlisted(estimator, name):
    check = getattr(estimator_checks, name)
    check(type(estimator).__name__, clone(estimator))
