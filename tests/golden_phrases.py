"""gensim's phrases: which it finds in a corpus, and their scores."""

import json

import numpy as np

from skcontrast.text._phrases import PhraseTransformer

# Lower than any score, where every pair is a phrase.
LOWEST = {"default": 1e-9, "npmi": -1.0}


def found(model, documents):
    """Phrases that reading the documents from left to right joins, and their scores."""
    tokens = {token for line in model.transform(documents) for token in line}
    return {token: model.phrases_[token] for token in sorted(tokens & set(model.phrases_))}


def phrases(case):
    """Scores of both scorers, each min_count, with and without connector words."""
    documents = [line.split() for line in case.arrays["corpus"].tolist()]
    for key in case.arrays:
        if not key.endswith("_keys"):
            continue
        min_count, scoring, connectors = key.removesuffix("_keys").split("_")
        model = PhraseTransformer(
            int(min_count.removeprefix("mc")),
            scoring=scoring,
            threshold=LOWEST[scoring],
            connector_words="english" if connectors == "conn1" else None,
        )
        scores = found(model.fit(documents), documents)
        assert list(scores) == case.arrays[key].tolist(), f"{case.name}: {key}"
        case.check(key.replace("_keys", "_scores"), np.array(list(scores.values())))
    with open(case.path.with_suffix(".json"), encoding="utf-8") as file:
        expected = json.load(file)["transformed_mc1_thr1"]
    assert PhraseTransformer(1, threshold=1.0).fit_transform(documents) == expected
