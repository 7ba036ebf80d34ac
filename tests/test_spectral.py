"""The spectral solver: counts, information and factors, against plain loops."""

import numpy as np
import pytest

from skcontrast.text import _spectral
from skcontrast.text._corpus import Corpus, Options

DOCUMENTS = [[0, 1, 2, 1, 0, 3], [2, 2, 1], [3], [0, 3, 1, 2, 2, 1, 0]]
CORPUS = Corpus(
    np.concatenate(DOCUMENTS).astype(np.int32),
    np.cumsum([0, *(len(d) for d in DOCUMENTS)]).astype(np.int64),
)
COUNTS = np.bincount(CORPUS.ids, minlength=4)
PLAIN = Options(n_components=3, window=3, sample=0)


def naive_pairs(window):
    pairs = np.zeros((4, 4))
    for document in DOCUMENTS:
        for i, word in enumerate(document):
            for j, other in enumerate(document):
                if 0 < abs(i - j) <= window:
                    pairs[word, other] += (window - abs(i - j) + 1) / window
    return pairs


def naive_information(pairs, shift, smoothing):
    word = pairs.sum(axis=1)
    context = word**smoothing / (word**smoothing).sum()
    out = np.zeros_like(pairs)
    for i, j in np.argwhere(pairs > 0):
        out[i, j] = max(np.log(pairs[i, j] / (word[i] * context[j])) - np.log(shift), 0)
    return out


@pytest.mark.parametrize("window", [1, 2, 5])
def test_pairs(window):
    options = PLAIN._replace(window=window)
    found = _spectral.cooccurrences(CORPUS, COUNTS, options, np.random.default_rng(0))
    np.testing.assert_allclose(found.toarray(), naive_pairs(window), rtol=1e-12)


@pytest.mark.parametrize(("shift", "smoothing"), [(1.0, 0.75), (1.2, 1.0)])
def test_information(shift, smoothing):
    options = PLAIN._replace(shift=shift, smoothing=smoothing)
    pairs = _spectral.cooccurrences(CORPUS, COUNTS, options, np.random.default_rng(0))
    found = _spectral.shifted_information(pairs, options).toarray()
    np.testing.assert_allclose(found, naive_information(naive_pairs(3), shift, smoothing))


def test_vectors_factorise_the_information():
    trained = _spectral.train(CORPUS, COUNTS, PLAIN._replace(n_components=6, power=0.5))
    expected = naive_information(naive_pairs(3), 1.0, 0.75)
    # As many factors as words are all there are: the rest stays zero.
    np.testing.assert_allclose(trained.embedding @ trained.context.T, expected, atol=1e-6)
    assert not trained.embedding[:, 4:].any() and trained.loss_curve == []
