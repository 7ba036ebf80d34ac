"""The estimators that take text: one literal table for the checks of text_checks.py."""

import skcontrast


def vectorizer_instances():
    """(estimator, grid): those that give one vector a document, and what to search over."""
    cheap = {"n_components": 4, "max_iter": 2, "random_state": 0}
    words = {**cheap, "min_count": 1}
    return [
        (
            skcontrast.Word2VecVectorizer(**words, solver="block"),
            {"window": [1, 3]},
        ),
        (
            skcontrast.Word2VecVectorizer(**words, pooling="sif", sample=0),
            {"pooling": ["mean", "sif", "max"]},
        ),
        (
            skcontrast.Word2VecVectorizer(**words, solver="spectral", pooling="max"),
            {"window": [1, 3]},
        ),
        (
            skcontrast.Sent2VecVectorizer(**words, sample=0),
            {"ngram": [1, 2]},
        ),
        (
            skcontrast.Sent2VecVectorizer(**words, subwords=True, ngram=3, dropout_ngrams=0),
            {"max_iter": [1, 2]},
        ),
        (
            skcontrast.ContrastiveTextEncoder(**cheap),
            {"learning_rate": [1e-3, 3e-3]},
        ),
        (
            skcontrast.ContrastiveTextEncoder(**cheap, views=["crop", "typos"], projector="mlp"),
            {"views": ["word_deletion", "crop"]},
        ),
    ]


def token_instances():
    """Estimators that give lists of tokens."""
    return [
        skcontrast.PhraseTransformer(min_count=1, threshold=0.2, scoring="npmi"),
        skcontrast.PhraseTransformer(2, n_passes=2, threshold=0.5, connector_words="english"),
    ]


def text_instances():
    """Every estimator here, without its grid."""
    return [*(estimator for estimator, _ in vectorizer_instances()), *token_instances()]


def topics(n=40):
    """Short documents about two things, and which of them each is about."""
    words = (
        "cat dog mouse tail paw fur meow whisker".split(),
        "tea coffee milk cup sugar spoon saucer pot".split(),
    )
    y = [i % 2 for i in range(n)]
    documents = [
        " ".join(words[label][(i * step) % 8] for step in range(1, 9)) + " the and"
        for i, label in enumerate(y)
    ]
    return documents, y
