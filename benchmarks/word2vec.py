"""Word2VecVectorizer beside gensim: speed, memory and quality on one corpus, equal settings.

    python benchmarks/word2vec.py --data-dir DIR [--epochs 5] [--repeats 3] [--write PAGE]

Every row is trained on the same lists of tokens with the same dimensions, window, negatives,
sample, minimum count, learning rate and epochs. Speed is words of the corpus times epochs, by
CPU seconds of the whole ``fit``, vocabulary included; rows take turns, and the median of the
repeats is printed with its ratio to gensim's. Similarity is Spearman's correlation over the
pairs whose words are both known; analogies are 3CosAdd among the 30,000 most frequent words.
gensim must be installed (``pip install gensim``).
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scaling import peak
from scipy.stats import spearmanr

from skcontrast import Word2VecVectorizer

SOLVERS = ("block", "numba", "spectral", "numba, margin")
SETTINGS = {"window": 5, "negative": 5, "min_count": 5, "sample": 1e-3}
PAIRS = {
    "WS-353": "EN-WS-353-ALL.txt",
    "MEN": "EN-MEN-TR-3k.txt",
    "SimLex": "EN-SIMLEX-999.txt",
}


def read_corpus(path):
    """Lines of a gzipped text as lists of words."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [words for line in file if (words := line.split())]


def train(row, sentences, epochs, seed=0, threads=1, device="cpu"):
    """Words and their vectors, most frequent first."""
    if row == "gensim":
        from gensim.models import Word2Vec

        model = Word2Vec(
            sentences,
            vector_size=100,
            sg=1,
            epochs=epochs,
            workers=threads,
            alpha=0.025,
            min_alpha=1e-4,
            seed=seed,
            **SETTINGS,
        )
        return model.wv.index_to_key, model.wv.vectors
    solver, _, margin = row.partition(", ")
    model = Word2VecVectorizer(
        solver=solver,
        objective="margin" if margin else "sgns",
        max_iter=epochs,
        n_jobs=threads,
        device=device,
        random_state=seed,
        **SETTINGS,
    ).fit(sentences)
    return list(model.vocabulary_), model.embedding_


def similarity(words, unit, path):
    """Spearman's correlation of cosines with people's ratings."""
    row = {word: i for i, word in enumerate(words)}
    lines = [line.lower().split() for line in path.read_text(encoding="utf-8").splitlines()]
    known = [(row[a], row[b], float(rating)) for a, b, rating in lines if a in row and b in row]
    a, b, rating = map(np.array, zip(*known))
    return float(spearmanr((unit[a] * unit[b]).sum(axis=1), rating).statistic)


def analogies(words, unit, path, n_words=30_000):
    """Share of questions answered, semantic and syntactic; a, b and c cannot be answers."""
    words, unit = words[:n_words], unit[:n_words]
    row = {word: i for i, word in enumerate(words)}
    asked = {"semantic": [], "syntactic": []}
    for line in path.read_text(encoding="utf-8").lower().splitlines():
        if line.startswith(":"):
            kind = "syntactic" if line.startswith(": gram") else "semantic"
        elif all(word in row for word in line.split()):
            asked[kind].append([row[word] for word in line.split()])
    found = {}
    for kind, questions in asked.items():
        right = 0
        for first in range(0, len(questions), 500):
            a, b, c, d = np.array(questions[first : first + 500]).T
            scores = (unit[b] - unit[a] + unit[c]) @ unit.T
            for taken in (a, b, c):
                scores[np.arange(len(a)), taken] = -np.inf
            right += int((scores.argmax(axis=1) == d).sum())
        found[kind] = right / len(questions)
    return found


def quality(words, vectors, folder):
    """All scores of word vectors."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    scores = {name: similarity(words, unit, folder / file) for name, file in PAIRS.items()}
    return {**scores, **analogies(words, unit, folder / "questions-words.txt")}


def memory(row, path):
    """Megabytes that one epoch takes beyond the corpus, in a process of its own."""
    call = [sys.executable, __file__, "--memory", row, str(path)]
    out = subprocess.run(call, check=True, capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1])


def measured_memory(row, path):
    """Peak of this process while it trains, less its peak before."""
    sentences = read_corpus(path)
    train(row, sentences[:50], 1)  # imports and compiled code are not counted
    before = peak()
    train(row, sentences, 1)
    return peak() - before


def scaling(row, sentences, repeats):
    """Elapsed time with one thread by that with two, medians of turns."""
    elapsed = {1: [], 2: []}
    for _ in range(repeats):
        for threads, times in elapsed.items():
            begin = time.perf_counter()
            train(row, sentences, 1, threads=threads)
            times.append(time.perf_counter() - begin)
    return float(np.median(elapsed[1]) / np.median(elapsed[2]))


def on_gpu(sentences, epochs):
    """Words a second on a CUDA device, by the clock, after a short run to warm up."""
    train("block", sentences[:2000], 1, device="cuda")
    begin = time.perf_counter()
    train("block", sentences, epochs, device="cuda")
    torch.cuda.synchronize()
    return epochs * sum(map(len, sentences)) / (time.perf_counter() - begin)


PAGE = """# Word vectors beside gensim

{n_words:,} words of text, 100 dimensions, window 5, 5 negatives, sample 1e-3, words that occur 5
times or more, learning rate 0.025, {epochs} epochs, one thread. Words a second are words of the
text times epochs by CPU seconds of the whole `fit`, the median of {repeats} turns; `memory` is the
peak beyond the corpus itself; similarities are Spearman correlations, analogies shares of
questions. `two threads` is how many times faster two threads are than one by the clock.

{table}

Written with {versions} by

    {command}
"""


def versions():
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("gensim", "torch", "numpy", "numba"))


def measure(sentences, options, megabytes):
    """One line a row: speed, ratio, memory and scores."""
    rows = ["gensim", *options.solvers]
    n_words, times, scores = sum(map(len, sentences)), {row: [] for row in rows}, {}
    for row in rows:
        train(row, sentences[:50], 1)  # compiles and imports
    for turn in range(options.repeats):
        for row in rows:
            begin = time.process_time()
            words, vectors = train(row, sentences, options.epochs, seed=turn)
            times[row].append(time.process_time() - begin)
            found = quality(words, vectors, options.data_dir / "word_pairs")
            scores.setdefault(row, []).append(found)
            print(turn, row, f"{n_words * options.epochs / times[row][-1]:.0f}", found, flush=True)
    lines = []
    for row in rows:
        ratio = np.median([base / own for base, own in zip(times["gensim"], times[row])])
        line = {
            "row": row,
            "words a CPU-second": n_words * options.epochs / np.median(times[row]),
            "ratio": ratio,
            **pd.DataFrame(scores[row]).mean(),
        }
        if not options.brief:
            line["memory (MB)"] = megabytes[row]
            line["two threads"] = scaling(row, sentences, options.repeats)
        lines.append(line)
    return pd.DataFrame(lines).set_index("row")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--corpus", default="corpora/modern.txt.gz")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--solvers", nargs="*", default=list(SOLVERS))
    parser.add_argument("--brief", action="store_true", help="no memory, no threads")
    parser.add_argument("--write", type=Path, help="page to write the table to")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    torch.set_num_threads(1)
    if options.memory:
        print(measured_memory(*options.memory))
        return
    # First of all: a child's peak begins at that of its parent.
    megabytes = {}
    if not options.brief:
        path = options.data_dir / options.corpus
        megabytes = {row: memory(row, path) for row in ("gensim", *options.solvers)}
    sentences = read_corpus(options.data_dir / options.corpus)
    table = measure(sentences, options, megabytes)
    text = PAGE.format(
        n_words=sum(map(len, sentences)),
        epochs=options.epochs,
        repeats=options.repeats,
        table=table.to_markdown(floatfmt=["", ".0f", ".2f", *[".3f"] * 5, ".0f", ".2f"]),
        versions=versions(),
        command="python benchmarks/word2vec.py " + " ".join(sys.argv[1:]),
    )
    if torch.cuda.is_available():
        text += f"\nOn {torch.cuda.get_device_name()}: {on_gpu(sentences, options.epochs):.0f} "
        text += "words a second.\n"
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
