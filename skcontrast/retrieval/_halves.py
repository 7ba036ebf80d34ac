"""Pairs made of documents alone: the words of one half ask for the other half."""

import numpy as np

MAX_QUERIES, MAX_DOCUMENTS = 500, 5000
# Fewest words of a document that is halved, and most of a query.
LEAST, MOST = 4, 20


def halves(documents, random_state):
    """Queries, the documents they are looked for in, and which one each belongs to.

    A query is the beginning of the second half of a document; it is looked for among first halves.
    """
    if not all(isinstance(text, str) for text in documents):
        raise ValueError(
            "weights='auto' cannot halve rows that are no texts: pass pairs to fit, as "
            "fit(X, queries=..., relevant=...), or type weights=None for equal ones."
        )
    order = random_state.permutation(len(documents))[:MAX_DOCUMENTS]
    words = [documents[i].split() for i in order]
    firsts = [" ".join(w[: (len(w) + 1) // 2]) for w in words]
    long = [i for i, w in enumerate(words) if len(w) >= LEAST][:MAX_QUERIES]
    if len(long) < 2:
        raise ValueError(
            f"weights='auto' finds {len(long)} texts of at least {LEAST} words to halve: pass "
            "pairs to fit, as fit(X, queries=..., relevant=...), or type weights=None for equal "
            "ones."
        )
    queries = [" ".join(words[i][(len(words[i]) + 1) // 2 :][:MOST]) for i in long]
    return queries, firsts, np.array(long)
