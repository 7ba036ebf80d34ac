"""Topic modelling: the themes of a heap of texts, named by words.
================================================================

Posts of 20 newsgroups, where ../shared/data is beside the repository or scikit-learn can download
them; else what SciPy and scikit-learn say of their functions and classes. Topics are independent
axes of an embedding: the words that lie farthest along an axis name it, and texts are scored on
each. Matrix factorisation and clusters stand beside it. It needs text_classification.py beside it.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from text_classification import DATA, newsgroups

from skcontrast import SemanticSignalSeparation
from skcontrast.metrics import topic_coherence, topic_diversity

POSTS = DATA / "text" / "newsgroups20" / "newsgroups20.csv.gz"
N_TOPICS, N_TERMS, N_TEXTS = 15, 10, 3000


def load():
    """Texts and their labels, which no model reads, in an order that is drawn."""
    if POSTS.exists():
        print("Data: 20 newsgroups, from the folder")
        posts = pd.read_csv(POSTS, keep_default_na=False)
        texts = [post.partition("\n\n")[2] for post in posts["text"]]
        labels = posts["label"].tolist()
    else:
        texts, labels = newsgroups(whole=True)
    rows = [i for i, text in enumerate(texts) if len(text.split()) >= 20]
    rows = np.random.default_rng(0).permutation(rows)[:N_TEXTS]
    return [texts[i] for i in rows], [labels[i] for i in rows]


def main():
    texts, y = load()
    words = TfidfVectorizer(min_df=5, stop_words="english", token_pattern=r"[a-zA-Z]{3,}")
    counts = words.fit_transform(texts)
    terms = words.get_feature_names_out()
    print(f"{len(texts)} texts, {len(terms)} terms, {len(set(y))} labels\n")

    # An embedding that reads any text reads a term too: what it makes of a text of one word.
    embedding = make_pipeline(words, TruncatedSVD(min(100, len(terms) - 1), random_state=0))
    D, V = embedding.fit_transform(texts), embedding.transform(terms)
    model = SemanticSignalSeparation(N_TOPICS, random_state=0)
    scores = model.fit_transform(D)
    named = model.top_terms(V, terms, n=7)
    for i, (first, last) in enumerate(named[:6]):
        print(f"topic {i}: {' '.join(first)}\n   not so: {' '.join(last)}")

    nmf = NMF(N_TOPICS, random_state=0, max_iter=400)
    by_nmf = nmf.fit_transform(counts)
    clusters = np.eye(N_TOPICS)[KMeans(N_TOPICS, n_init=5, random_state=0).fit_predict(D)]
    of_clusters = (clusters.T @ counts) / clusters.sum(axis=0)[:, None]
    rows = {
        "independent axes": (model.top_terms(V, n=N_TERMS, ends="positive"), scores),
        "NMF": (np.argsort(-nmf.components_, axis=1)[:, :N_TERMS], by_nmf),
        "k-means, mean TF-IDF": (np.argsort(-of_clusters, axis=1)[:, :N_TERMS], clusters),
    }
    table = {
        name: {
            "coherence (NPMI)": topic_coherence(counts, topics).mean(),
            "diversity": topic_diversity(topics),
            "NMI with the labels": normalized_mutual_info_score(y, of_texts.argmax(axis=1)),
        }
        for name, (topics, of_texts) in rows.items()
    }
    print(f"\n{pd.DataFrame(table).T.round(3).to_string()}")
    draw(named[:6], model.term_importance(V), terms)


def draw(named, importance, terms):
    """The terms at both ends of the first axes."""
    place = {term: i for i, term in enumerate(terms)}
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.5), layout="constrained")
    for i, (ax, (first, last)) in enumerate(zip(axes.flat, named)):
        ends = [*first, *last[::-1]]
        values = [importance[i, place[term]] for term in ends]
        ax.barh(range(len(ends)), values, color=["C0" if v > 0 else "C1" for v in values])
        ax.set(title=f"topic {i}", yticks=range(len(ends)), yticklabels=ends)
        ax.tick_params(labelsize=7)
        ax.invert_yaxis()
    plt.show()


if __name__ == "__main__":
    main()
