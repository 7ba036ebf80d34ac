"""What is no block, or no choice of columns: one sentence each, or a sound result."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from bad_input import one_sentence
from multiview_cases import TEXTS, A, B, X, encoder, of_blocks

from skcontrast.multiview import Blocks, CanonicalCorrelation, pair_credibility
from skcontrast.multiview._credibility import N_PARTED
from skcontrast.objectives import InfoNCE

HOLE = X.copy()
HOLE[3, 2] = np.nan

APART = np.where((np.arange(9) < 5) == (np.arange(60)[:, None] < 30), np.nan, X)

REFUSED = {
    "one block in a list": (lambda: of_blocks().fit([A]), "X holds one block, 'block0'"),
    "a list with a column": (lambda: of_blocks().fit([A[:, 0], B]), "type np.reshape.x, .-1, 1.."),
    "a list of unequal length": (lambda: of_blocks().fit([A, B[:7]]), "Block 'block1' has 7 rows"),
    "lists of texts": (lambda: of_blocks().fit([TEXTS, TEXTS]), r"pass Blocks\(a=A, text=texts\)"),
    "numbers for names": (lambda: of_blocks().fit({0: A, 1: B}), "X has the block 0: type a str"),
    "a block named present": (
        lambda: of_blocks().fit({"present": A, "b": B}),
        "present is a ndarray: .*no block can have this name",
    ),
    "a list of masks": (lambda: Blocks(a=A, present=[True]), "present is a list: type present="),
    "blocks in blocks": (lambda: Blocks(a=Blocks(c=A), b=B), "Block 'a' is a Blocks"),
    "no columns": (lambda: Blocks(a=A[:, :0], b=B), "Block 'a' has no columns"),
    "complex": (lambda: of_blocks().fit(Blocks(a=A + 1j, b=B)), "'a': Complex data not supported"),
    "a hole": (lambda: encoder().fit(HOLE), "Block 'block0': .*NaN.*where all its values are NaN"),
    "a hole in a query": (
        lambda: of_blocks().fit(Blocks(a=A, b=B)).transform_block(A * np.nan, "a"),
        "Block 'a': .*SimpleImputer",
    ),
    "no name of a block": (
        lambda: of_blocks().fit(Blocks(a=A, b=B)).transform_block(A, ["a"]),
        r"block= names the block \['a'\]",
    ),
    "a word for names": (
        lambda: of_blocks().fit(Blocks(a=A, b=B)).score_pairs(Blocks(a=A, b=B), "ab"),
        "blocks= names the block 'ab'",
    ),
    "no partner to rank": (
        lambda: of_blocks().fit(Blocks(a=A, b=B)).score(Blocks(a=A)),
        "No row of X has two blocks",
    ),
    "no whole row to rank": (
        lambda: encoder(objective="symile").fit(X).score(np.where(np.arange(9) < 5, np.nan, X)),
        "No row of X has all blocks",
    ),
    "no queries": (
        lambda: of_blocks().fit(Blocks(a=A, b=B)).similarity({}, {"b": B}),
        "queries is empty: type",
    ),
    "no network": (
        lambda: encoder(networks={"block0": None}).fit(X),
        r"networks\['block0'\] is None: type networks={'block0': 'auto'}",
    ),
    "weights of a batch": (
        lambda: encoder(objective="listwise_wasserstein").fit(
            X, np.arange(60.0), groups=np.arange(60) // 6, pair_weight=np.ones(60)
        ),
        "cannot be weighted: .*pair_weight=None",
    ),
    "blocks that never meet": (
        lambda: encoder(objective="one_to_k").fit(APART),
        "No two blocks are both there in two rows or more",
    ),
    "a question without an answer": (
        lambda: encoder(
            blocks=[5, 4, 4],
            tied=["block1", "block2"],
            objective=InfoNCE(form="one_way", hard_negatives=True),
        ).fit(np.hstack([APART, B])),
        "No two blocks are both there",
    ),
    "names of columns that blocks do not have": (
        lambda: of_blocks().fit(Blocks(a=A, b=B)).get_feature_names_out(["a"] * 9),
        "input_features names the columns of one table",
    ),
    "prefixes": (
        lambda: encoder(blocks="prefix").fit(pd.DataFrame(X, columns=list("abcdefghi"))),
        "X has none with it, such as 'a'",
    ),
    "cv of few rows": (lambda: pair_credibility(X[:3], [5, 4]), "cv=5 of 3 rows: .*4 rows or more"),
    "cv of nothing": (lambda: pair_credibility(None, [5, 4]), "cv=5 of 0 rows"),
    "cv beyond": (lambda: pair_credibility(X, [5, 4], cv=31), "cv=31 of 60 rows: .*from 2 to 30"),
    "cv of halves": (lambda: pair_credibility(X, [5, 4], cv=2.5), "cv=2.5 of 60 rows"),
}
for chosen in (None, 1.5, True, {}, lambda X: None):
    REFUSED[f"columns {chosen!r:.12}"] = (
        lambda chosen=chosen: encoder(blocks={"a": chosen, "b": [1]}).fit(X),
        r"blocks\['a'\]=.* selects no columns: type a list",
    )
REFUSED["ends of a slice"] = (
    lambda: encoder(blocks={"a": slice(0.0, 2.0), "b": [3]}).fit(X),
    r"blocks\['a'\]=slice.* whole numbers, or names, as its ends",
)


@pytest.mark.parametrize("name", REFUSED)
def test_one_sentence_says_what_is_wrong(name):
    call, match = REFUSED[name]
    with pytest.raises(ValueError, match=match) as caught:
        call()
    assert one_sentence(caught.value), str(caught.value)


SOUND = {
    "an array and texts": [A, TEXTS],
    "tuples": (A, B),
    "rows as lists": [A.tolist(), B.tolist()],
    "tensors": {"a": torch.tensor(A), "b": torch.tensor(B, requires_grad=True)},
    "a block named self": {"self": A, "b": B},
    "frames": [pd.DataFrame(A), pl.DataFrame(B)],
    "sparse of any form": {"a": sp.coo_matrix(A), "b": sp.csc_array(B)},
    "objects": {"a": A.astype(object), "b": B > 0},
    "huge and tiny": {"a": A * 1e200, "b": B * 1e-200},
    "nothing in a sparse block": {"a": sp.csr_matrix((60, 5)), "b": sp.csr_matrix((60, 4))},
    "one column each, of which one is constant": [A[:, :1], np.ones((60, 1))],
    "two rows": [A[:2], B[:2]],
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_result(name):
    Z = of_blocks().fit(SOUND[name]).transform(SOUND[name])
    assert np.isfinite(Z).all()


def test_blocks_of_few_rows_are_parted_all_the_same():
    for n_blocks, n in ((2, 2), (2, 8), (3, 9), (4, 12)):
        blocks = Blocks(**{f"block{v}": X[:, v : v + 4] for v in range(n_blocks)})
        model = CanonicalCorrelation(3).fit(blocks)
        # How many rows the blocks are of.
        model._pair_scores = lambda Z, _: np.array([len(set(row)) for row in Z[:, :, 0].T])
        model._embedded = lambda X, v=n_blocks, n=n: (
            np.tile(np.arange(n)[:, None], (v, 1, 1)),
            np.ones((v, n), dtype=bool),
        )
        parted = model._paired_and_parted(blocks[:n], np.random.default_rng(0), N_PARTED)[1]
        assert len(parted) and len(parted) <= N_PARTED * n
        assert (parted == n_blocks).all()
    # Blocks that one cannot part, as three of two rows.
    assert (pair_credibility(np.hstack([X, A])[:4], [5, 4, 5], cv=2) == 1).all()
