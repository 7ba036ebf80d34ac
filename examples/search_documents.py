"""Search my documents: by words, by meaning, and by both with weights that are chosen.
====================================================================================

Posts of 20 newsgroups, where ../shared/data is beside the repository or scikit-learn can download
them; else what SciPy and scikit-learn say of their functions and classes. Of each text a few words
of the second half are a query that looks for the first half, among those of all texts. A sentence
encoder learns from the halves of others. BM25 is hard to beat: weights of a hybrid are chosen on
pairs, and others are mixed in only where they help. A model of sentence-transformers joins in, as
it is and trained on the same pairs, where one is on this machine: SENTENCE_MODEL names it, or its
folder. It needs text_classification.py beside it.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from text_classification import DATA, newsgroups

from skcontrast import ContrastiveTextEncoder
from skcontrast.metrics import rank_metrics
from skcontrast.retrieval import BM25Transformer, HybridRetriever

POSTS = DATA / "text" / "newsgroups20" / "newsgroups20.csv.gz"
# Texts to train on, to choose weights on, and to test with; words of a text that are read.
N_TRAIN, N_CHOOSE, N_TEST, N_WORDS = 600, 200, 400, 80
N_ALL = 3000
MODEL = os.environ.get("SENTENCE_MODEL", "all-MiniLM-L6-v2")


def load():
    """Texts in an order that is drawn."""
    if POSTS.exists():
        print("Data: 20 newsgroups, from the folder")
        posts = pd.read_csv(POSTS, keep_default_na=False)["text"]
        texts = [post.partition("\n\n")[2] for post in posts]  # without the head of a letter
    else:
        texts = newsgroups(whole=True)[0]
    texts = [text for text in texts if len(text.split()) >= 20]
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


def halves(texts):
    """Queries of at most eight words, and the documents that they look for."""
    words = [text.split()[:N_WORDS] for text in texts]
    asked = [" ".join(w[len(w) // 2 :][:8]) for w in words]
    return asked, [" ".join(w[: len(w) // 2]) for w in words]


def sentence_model():
    """A model of sentence-transformers that is here already, or None."""
    try:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(MODEL, device="cpu", local_files_only=True)
    except Exception as error:  # not installed, too old, or no such model here
        why = str(error).partition("\n")[0]
        print(f"Without a model of sentence-transformers ({why}): the rest needs none.")
        return None


def main():
    texts = load()[:N_ALL]
    asked, documents = halves(texts[: N_TRAIN + N_CHOOSE + N_TEST])
    # A small set of texts trains on less.
    n_train = min(N_TRAIN, len(documents) // 2)
    pairs = asked[:n_train] + documents[:n_train]
    encoder = ContrastiveTextEncoder(max_iter=5, random_state=0)
    encoder.fit(pairs, groups=[*range(n_train)] * 2)
    ways = [
        ("words (BM25)", make_pipeline(CountVectorizer(stop_words="english"), BM25Transformer())),
        (
            "TF-IDF, 100 dimensions",
            make_pipeline(TfidfVectorizer(stop_words="english"), TruncatedSVD(100, random_state=0)),
        ),
        ("sentence encoder", FrozenEstimator(encoder)),
    ]
    model = sentence_model()
    if model is not None:
        trained = ContrastiveTextEncoder(backbone=model, max_iter=5, random_state=0)
        trained.fit(pairs, groups=[*range(n_train)] * 2)
        ways += [
            ("sentence-transformers", FrozenEstimator(FunctionTransformer(model.encode))),
            ("the same, trained", FrozenEstimator(trained)),
        ]
    asked, documents = asked[n_train:], documents[n_train:]
    n = min(N_CHOOSE, len(documents) // 3)
    print(f"{len(documents)} documents, {n} queries to choose weights on, {len(asked) - n} to test")

    test, relevant = asked[n:], np.arange(n, len(documents))
    models = {name: HybridRetriever([(name, way)]).fit(documents) for name, way in ways}
    models["hybrid, equal weights"] = HybridRetriever(ways, weights=None).fit(documents)
    hybrid = HybridRetriever(ways).fit(documents, queries=asked[:n], relevant=np.arange(n))
    models["hybrid, chosen weights"] = hybrid
    print(f"{'':<26}MRR@10  recall@1  recall@10")
    scores = {}
    for name, model in models.items():
        found = model.kneighbors(test, 10, return_distance=False)
        values = rank_metrics(found, relevant, k=(1, 10), kind="ids")
        scores[name] = values["mrr@10"]
        shown = [values[key] for key in ("mrr@10", "recall@1", "recall@10")]
        print(f"{name:<24}" + "".join(f"{value:9.3f}" for value in shown))
    print("weights: " + ", ".join(f"{n} {w:.2f}" for (n, _), w in zip(ways, hybrid.weights_)))

    # Now whole texts, with the weights that were chosen.
    search = HybridRetriever(ways, weights=hybrid.weights_).fit(texts)
    for question in ("how far away is the moon", "solve a system of equations"):
        print(f"\n{question}")
        for row in search.kneighbors([question], 3, return_distance=False)[0]:
            print(f"    {' '.join(texts[row].split())[:90]}")

    figure = plt.figure(figsize=(7, 3.2), layout="constrained")
    ax = figure.subplots()
    bars = ax.barh(list(scores), list(scores.values()))
    ax.bar_label(bars, fmt="%.3f", padding=3)
    ax.invert_yaxis()
    ax.set(xlabel="mean reciprocal rank of the other half", xlim=(0, 1.12 * max(scores.values())))
    plt.show()


if __name__ == "__main__":
    main()
