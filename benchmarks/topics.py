"""Topics of texts: how coherent, how different, and how near to the labels.

    python benchmarks/topics.py --data-dir DIR [--write docs/topic_quality.md]

Of each set at most 4,000 texts, and the terms that at least five of them have. Every model reads
the texts without their labels. What was measured is kept, so that a run that was stopped
goes on.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn
import torch
from datasets import manifest, read_table, subsample, take
from record import Record
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, LatentDirichletAllocation, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline

import skcontrast
from skcontrast import ContrastiveTextEncoder, SemanticSignalSeparation
from skcontrast.metrics import topic_coherence, topic_diversity
from skcontrast.topics import document_term_vectors

# Set -> number of topics.
SETS = {
    "newsgroups20": 20,
    "stackoverflow_titles": 20,
    "ag_news_17k": 10,
    "reuters_r8": 10,
    "trec": 10,
}
N_TEXTS, N_TERMS, WIDTH = 4000, 10, 100
# Set, models and seeds of a table over several draws of the texts.
AGAIN = "newsgroups20", ("NMF", "k-means + class TF-IDF", "S3", "S3, angular"), range(1, 4)


def best(weights):
    """Columns of the largest weights of each topic."""
    return np.argsort(-weights, axis=1, kind="stable")[:, :N_TERMS]


def nmf(texts, counts, terms, k, seed):
    model = NMF(k, random_state=seed, max_iter=400)
    scores = model.fit_transform(TfidfTransformer().fit_transform(counts))
    return best(model.components_), scores


def lda(texts, counts, terms, k, seed):
    model = LatentDirichletAllocation(k, random_state=seed)
    scores = model.fit_transform(counts)
    return best(model.components_), scores


def space(counts, seed):
    """Embedding of the texts and of one-word documents: TF-IDF and its leading directions."""
    made = make_pipeline(TfidfTransformer(), TruncatedSVD(WIDTH, random_state=seed))
    D = made.fit_transform(counts)
    return D, made.transform(sp.eye_array(counts.shape[1], format="csr"))


def encoded(texts, terms, seed):
    """The same by an encoder that is trained on the texts."""
    encoder = ContrastiveTextEncoder(random_state=seed).fit(texts)
    return encoder.transform(texts), encoder.transform(terms)


def separated(D, V, k, seed, importance="combined"):
    model = SemanticSignalSeparation(k, importance=importance, random_state=seed).fit(D)
    return np.array(model.top_terms(V, n=N_TERMS, ends="positive")), model.transform(D)


def clustered(D, counts, k, seed):
    """k-means, and the terms of each cluster by TF-IDF of the clusters."""
    labels = KMeans(k, n_init=5, random_state=seed).fit_predict(D)
    member = np.eye(k)[labels]
    frequency = member.T @ counts
    total = np.asarray(counts.sum(axis=0)).ravel()
    share = frequency / np.maximum(frequency.sum(axis=1, keepdims=True), 1)
    return best(share * np.log1p(frequency.sum() / k / total)), member


MODELS = {
    "NMF": nmf,
    "LDA": lda,
    "k-means + class TF-IDF": lambda texts, counts, terms, k, seed: clustered(
        space(counts, seed)[0], counts, k, seed
    ),
    "S3": lambda texts, counts, terms, k, seed: separated(*space(counts, seed), k, seed),
    "S3, axial": lambda texts, counts, terms, k, seed: separated(
        *space(counts, seed), k, seed, "axial"
    ),
    "S3, angular": lambda texts, counts, terms, k, seed: separated(
        *space(counts, seed), k, seed, "angular"
    ),
    "S3, terms as means of texts": lambda texts, counts, terms, k, seed: separated(
        (D := space(counts, seed)[0]),
        document_term_vectors(D, TfidfTransformer().fit_transform(counts)),
        k,
        seed,
    ),
    "S3 of ContrastiveTextEncoder": lambda texts, counts, terms, k, seed: separated(
        *encoded(texts, terms, seed), k, seed
    ),
}


def measure(folder, name, model, seed=0):
    texts, y = read_table(folder, manifest(folder).set_index("name").loc[name])
    rows = subsample(len(y), y, seed, N_TEXTS, min_class=1)
    texts, y = take(texts, rows), y[rows]
    counter = CountVectorizer(min_df=5, stop_words="english")
    counts = counter.fit_transform(texts)
    terms = counter.get_feature_names_out().tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that end before they settle
        topics, scores = MODELS[model](texts, counts, terms, SETS[name], seed)
    return {
        "NPMI": float(topic_coherence(counts, topics).mean()),
        "diversity": topic_diversity(topics),
        "NMI": float(normalized_mutual_info_score(y, scores.argmax(axis=1))),
    }


PAGE = """# Quality of topics

*NPMI* is the mean coherence of the ten top terms of each topic over the same texts, *diversity* the
share of different terms among these, and *NMI* how much the largest topic of a text says of its
label. At most 4,000 texts of each set; terms without stop words, in at least five texts; 20 topics
for newsgroups20 and stackoverflow_titles, else 10. One draw, but for the last table. Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}.

*S3* is `SemanticSignalSeparation`, read at the positive ends of its axes. Its space is TF-IDF
brought to 100 columns by `TruncatedSVD`, in which a term is a text of one word; *terms as means of
texts* takes `document_term_vectors` instead. *k-means + class TF-IDF* clusters the rows of the same
space, and weighs terms by how often a cluster has them and how rare they are in all. The last row
reads the columns of `ContrastiveTextEncoder()`, trained on the same texts.
"""


def tabulate(results, score):
    rows = [{"set": s, "model": m, score: v[score]} for (s, m), v in results.items()]
    table = pd.DataFrame(rows).pivot(index="model", columns="set", values=score)
    table = table.loc[[m for m in MODELS if m in table.index], [s for s in SETS if s in table]]
    return table.assign(mean=table.mean(axis=1))


def markdown(table):
    best_of = table.round(3).eq(table.round(3).max())
    shown = table.map("{:.3f}".format)
    return shown.where(~best_of, "**" + shown + "**").to_markdown(disable_numparse=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("topics")
    if options.fresh:
        record.forget()
    jobs = [(s, m) for m in options.models for s in options.sets]
    name, models, seeds = AGAIN
    again = [(name, m, seed) for m in models for seed in seeds if m in options.models]
    again = again if name in options.sets else []
    found = record.run(measure, options.data_dir, [*jobs, *again], options.jobs)
    results = {job: found[job] for job in jobs}
    parts = [
        PAGE.format(
            command="python benchmarks/topics.py " + " ".join(sys.argv[1:]),
            version=skcontrast.__version__,
            sklearn=sklearn.__version__,
            torch=torch.__version__,
        )
    ]
    for score in ("NPMI", "diversity", "NMI"):
        parts += [f"## {score}\n", markdown(tabulate(results, score)) + "\n"]
    if again:
        rows = [{"model": job[1], **found[job]} for job in found if job[0] == name]
        means = (
            pd.DataFrame(rows).groupby("model").mean().reindex(dict.fromkeys(j[1] for j in again))
        )
        parts += [f"## {name}, the mean of {len(seeds) + 1} draws of the texts\n"]
        parts += [markdown(means) + "\n"]
    page = "\n".join(parts)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
