"""Tables of texts of ``findings.py``: views that keep labels, hybrid scores, shared spelling."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import load, manifest
from scipy.stats import rankdata
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skcontrast import ContrastiveTextEncoder
from skcontrast.metrics import EmbeddingScorer
from skcontrast.views import VIEWS_OF, SpanCrop, Typos, WordDeletion

SETS = ("trec", "stackoverflow_titles", "banking77", "mr", "tweeteval_emotion")
PAIRS = ("mrpc", "stsb_en", "sick")
N_LABELLED, N_TEST = 1500, 1000
ENOUGH = 4.0  # of 5: sentences that say alike
VIEWS = {
    **{name: name for name in VIEWS_OF["tokens"]},
    "word_deletion, 20 %": WordDeletion(0.2),
    "word_deletion, 80 %": WordDeletion(0.8),
    "crop to 10-30 %": SpanCrop(0.1, 0.3),
    "typos in every word": Typos(1.0),
}


@cache
def texts(folder, name):
    """Labelled texts, others, and the classes of both."""
    found, y = load(folder, name)
    stop = N_LABELLED + N_TEST
    return found[:N_LABELLED], found[N_LABELLED:stop], y[:N_LABELLED], y[N_LABELLED:stop]


def tuned(vectors, labelled, y):
    """Logistic regression with C by cross-validation, on rows of about unit length."""
    model = make_pipeline(vectors, Normalizer(), LogisticRegression(max_iter=300))
    return GridSearchCV(model, {"logisticregression__C": [1, 10, 100]}, cv=3).fit(labelled, y)


def nearest(vectors):
    return make_pipeline(vectors, KNeighborsClassifier(1, metric="cosine"))


def tfidf():
    return TfidfVectorizer(sublinear_tf=True)


def encoder(epochs):
    return ContrastiveTextEncoder(max_iter=epochs, random_state=0, device="cpu")


def share_kept(n, y):
    """Measure of a scorer: of the rows from ``n`` on, how many keep the label of the nearest."""

    def measure(z, z_view):
        nearest_of = KNeighborsClassifier(1, metric="cosine").fit(z[:n], y).predict
        return np.mean(nearest_of(z[n:]) == nearest_of(z_view[n:]))

    return measure


def views(folder, sets=SETS, epochs=20):
    """Whether the nearest labelled text keeps its label after each view of a text."""
    columns = {}
    for name in sets:
        labelled, test, y, y_test = texts(folder, name)
        everything = labelled + test
        model = encoder(epochs).fit(everything)
        rows = {
            "accuracy: TF-IDF, tuned logistic regression": tuned(tfidf(), labelled, y),
            "accuracy: TF-IDF, nearest neighbour": nearest(tfidf()).fit(labelled, y),
            "accuracy: text encoder, nearest neighbour": nearest(FrozenEstimator(model)).fit(
                labelled, y
            ),
        }
        column = {row: classifier.score(test, y_test) for row, classifier in rows.items()}
        scorer = EmbeddingScorer(share_kept(len(labelled), y))
        for view, component in VIEWS.items():
            column[f"kept: {view}"] = scorer(model.set_params(views=component), everything)
        columns[name] = column
    return pd.DataFrame(columns)


def pairs(folder, name):
    """Pairs of sentences that say alike, and all sentences."""
    row = manifest(folder).set_index("name").loc[name]
    frame = pd.read_csv(Path(folder) / row.files, keep_default_na=False)
    frame = frame[frame.split == "test"]
    alike = frame.label == 1 if "label" in frame else frame.score >= ENOUGH
    return frame[alike].drop_duplicates("sentence2"), frame.sentence2.unique().tolist()


def hybrid(folder, sets=PAIRS, epochs=20):
    """Mean reciprocal rank of the sentence that says alike, by TF-IDF, the encoder, and both."""
    columns = {}
    for name in sets:
        alike, documents = pairs(folder, name)
        queries = alike.sentence1.tolist()
        dense = encoder(epochs).fit(documents + queries)
        sparse = tfidf().fit(documents)
        own = pd.Index(documents).get_indexer(alike.sentence2)
        scores = {
            "TF-IDF": cosine_similarity(sparse.transform(queries), sparse.transform(documents)),
            "text encoder": cosine_similarity(dense.transform(queries), dense.transform(documents)),
        }
        scores["both, added"] = sum(scores.values())
        ranks = {row: rankdata(-of, axis=1)[np.arange(len(own)), own] for row, of in scores.items()}
        columns[name] = {row: np.mean(1 / rank) for row, rank in ranks.items()}
    return pd.DataFrame(columns)


def spelling(folder, sets=SETS, epochs=20):
    """Accuracy on the texts that share most, and least, of their spelling with a labelled one."""
    columns = {}
    for name in sets:
        labelled, test, y, y_test = texts(folder, name)
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4)).fit(labelled)
        near = cosine_similarity(pieces.transform(test), pieces.transform(labelled)).max(axis=1)
        halves = {"most": near > np.median(near), "least": near <= np.median(near)}
        dense = encoder(epochs).fit(labelled + test)
        for row, model in {
            "TF-IDF, tuned logistic regression": tuned(tfidf(), labelled, y),
            "TF-IDF, nearest neighbour": nearest(tfidf()).fit(labelled, y),
            "text encoder, tuned logistic regression": tuned(FrozenEstimator(dense), labelled, y),
            "text encoder, nearest neighbour": nearest(FrozenEstimator(dense)).fit(labelled, y),
        }.items():
            right = model.predict(test) == y_test
            for half, chosen in halves.items():
                columns.setdefault(f"{name}, {half}", {})[row] = right[chosen].mean()
    return pd.DataFrame(columns)


# Name -> function, heading, and what the table shows.
TABLES = {
    "views": (
        views,
        "Which views of a text keep its label",
        "Of each set 1,500 labelled texts and 1,000 others. *Kept*: the share of these whose "
        "nearest labelled text, in the embedding of one `ContrastiveTextEncoder`, has the same "
        "label after the view as before.",
    ),
    "hybrid": (
        hybrid,
        "Sparse, dense, and both",
        "Mean reciprocal rank of the sentence that says the same, among all sentences of a test "
        "part: by the cosine of TF-IDF, of the encoder, and by the sum of both.",
    ),
    "spelling": (
        spelling,
        "Shared spelling",
        "Accuracy with all 1,500 labels on the half of the texts that share most of their spelling "
        "with a labelled one (cosine of character 4-grams), and on the half that share least.",
    ),
}
