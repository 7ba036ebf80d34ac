"""A classifier on raw texts, all texts unlabelled but a few: the head beside two pipelines.

    python benchmarks/text_heads.py --data-dir DIR [--sets NAME ...] [--write docs/text_quality.md]

The texts and the draws of labels are those of text.py. ``SupervisedContrastiveClassifier(
ContrastiveTextEncoder())`` learns from all training texts, of which 5, 20 or all a class have a
label; its encoder reads no labels, so that all draws share one, frozen. Beside it stand the
logistic regression of text.py on the same encoder and on TF-IDF.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from text import LABELS, N_DRAWS, accuracy, labelled, load_texts, scaled, tfidf

from skcontrast import ContrastiveTextEncoder, SupervisedContrastiveClassifier

SETS = ("stackoverflow_titles", "trec", "banking77")
TITLE = "## A head on raw texts"
TEXT = """
Accuracy of `SupervisedContrastiveClassifier(ContrastiveTextEncoder())` on the raw texts, most of
them without a label, beside a logistic regression (C chosen on held-out labels) on the same
encoder and on TF-IDF: mean of {n_draws} draws of labels, one run. Written by

    {command}

"""


def measured(folder, name, seed=0):
    """Accuracy of each row by number of labels."""
    train, y, test, y_test = load_texts(folder, name, seed)
    encoder = ContrastiveTextEncoder(random_state=seed, device="cpu").fit(train)
    plain = tfidf().fit(train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        embedded = scaled(encoder.transform(train), encoder.transform(test))
        counted = scaled(plain.transform(train), plain.transform(test))
    for n_labels in LABELS:
        scores = []
        for draw in range(N_DRAWS if n_labels else 1):
            rows = labelled(y, n_labels, N_DRAWS * seed + draw)
            known = np.full(len(y), None, dtype=object)
            known[rows] = y[rows]
            head = SupervisedContrastiveClassifier(FrozenEstimator(encoder), random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                own = head.fit(train, known).score(test, y_test)
            others = [accuracy(Z[rows], y[rows], T, y_test) for Z, T in (counted, embedded)]
            scores.append([*others, own])
        names = "TF-IDF, logistic", "text encoder, logistic", "text encoder, head"
        for row, value in zip(names, np.mean(scores, axis=0)):
            yield {"set": name, "labels": n_labels or "all", "row": row, "accuracy": value}
        print(name, n_labels, np.round(np.mean(scores, axis=0), 3), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--write", type=Path, help="page whose last section is written anew")
    options = parser.parse_args()
    frame = pd.DataFrame([row for s in options.sets for row in measured(options.data_dir, s)])
    frame["labels"] = pd.Categorical(frame["labels"], [n or "all" for n in LABELS])
    table = frame.pivot(index=["set", "row"], columns="labels", values="accuracy").reset_index()
    table = table.rename_axis(columns=None).to_markdown(index=False, floatfmt=".3f")
    print(table)
    if options.write:
        page = options.write.read_text(encoding="utf-8").partition(TITLE)[0].rstrip()
        command = "python benchmarks/text_heads.py " + " ".join(sys.argv[1:])
        text = TEXT.format(n_draws=N_DRAWS, command=command)
        options.write.write_text(f"{page}\n\n{TITLE}\n{text}{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
