"""BM25Transformer: laws of the formula, and what is refused."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from skcontrast.retrieval import BM25Transformer
from skcontrast.retrieval._bm25 import VARIANTS

COUNTS = np.random.default_rng(0).poisson(0.7, size=(30, 12))
QUERIES = np.random.default_rng(1).poisson(0.3, size=(5, 12))


def scores(model, queries, documents):
    return (model.transform_query(queries) @ model.transform(documents).T).toarray()


def test_lucene_by_hand():
    model = BM25Transformer(k1=1.2, b=0.6).fit(COUNTS)
    d, t = np.argwhere(COUNTS > 1)[0]
    n_with = (COUNTS[:, t] > 0).sum()
    idf = math.log(1 + (30 - n_with + 0.5) / (n_with + 0.5))
    length = 1 - 0.6 + 0.6 * COUNTS[d].sum() / COUNTS.sum(axis=1).mean()
    expected = idf * COUNTS[d, t] / (COUNTS[d, t] + 1.2 * length)
    assert model.transform(COUNTS)[d, t] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_b_the_length_is_not_read(variant):
    model = BM25Transformer(b=0, variant=variant).fit(COUNTS)
    longer = COUNTS.copy()
    longer[:, 0] += 50
    assert np.array_equal(
        model.transform(longer)[:, 1:].toarray(), model.transform(COUNTS)[:, 1:].toarray()
    )


@pytest.mark.parametrize("variant", ["lucene", "robertson", "atire"])
def test_without_k1_a_score_is_a_sum_of_idf(variant):
    model = BM25Transformer(k1=0, variant=variant).fit(COUNTS)
    expected = QUERIES @ (model.idf_[:, None] * (COUNTS.T > 0))
    np.testing.assert_allclose(scores(model, QUERIES, COUNTS), expected, rtol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_repeated_word_counts_repeatedly_and_an_absent_one_not(variant):
    model = BM25Transformer(variant=variant).fit(COUNTS)
    np.testing.assert_allclose(
        scores(model, 3 * QUERIES, COUNTS), 3 * scores(model, QUERIES, COUNTS)
    )
    assert (model.transform(COUNTS).toarray()[COUNTS == 0] == 0).all()


def test_new_documents_are_weighed_by_those_of_fit():
    model = BM25Transformer().fit(COUNTS)
    assert np.array_equal(
        model.transform(COUNTS[:1]).toarray(), model.transform(COUNTS).toarray()[:1]
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_empty_documents_and_unknown_words_are_finite(variant):
    model = BM25Transformer(variant=variant).fit(np.zeros((3, 4)))
    assert model.transform(np.zeros((3, 4))).nnz == 0
    assert np.isfinite(model.transform(np.ones((2, 4))).toarray()).all()


def test_sparse_stays_sparse_and_is_not_written_to():
    X = sp.csr_array(np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]], dtype=np.float32))
    X.data[0] = 0  # a stored zero is no word
    before = X.copy()
    model = BM25Transformer().fit(X)
    assert (X.data == before.data).all() and X.nnz == 3
    out = model.transform(X)
    assert sp.issparse(out) and out.dtype == np.float32 and out.nnz == 2
    np.testing.assert_allclose(out.toarray(), model.transform(X.toarray()).toarray())


def test_in_a_pipeline_it_has_the_names_of_words():
    pipe = make_pipeline(CountVectorizer(), BM25Transformer()).fit(["red green", "green blue"])
    assert list(pipe.get_feature_names_out()) == ["blue", "green", "red"]


def test_what_is_refused():
    with pytest.raises(ValueError, match="Negative values.*type counts of words"):
        BM25Transformer().fit([[1.0, -1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="variant.*'lucen' instead.*Did you mean 'lucene'"):
        BM25Transformer(variant="lucen").fit(COUNTS)
    with pytest.raises(ValueError, match="12 features"):
        BM25Transformer().fit(COUNTS).transform_query(QUERIES[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        BM25Transformer().fit([[1.0, np.nan]])
