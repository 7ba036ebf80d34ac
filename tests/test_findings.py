"""The benchmark of findings: every table on one split and little training, and its page."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
BASELINES = ["raw pixels", "raw pixels, tuned support vectors"]
SMALL = {
    "budget": {"epochs": (1,)},
    "negatives": {"sizes": (128,), "max_iter": 1},
    "extra_losses": {"max_iter": 1},
    "strength": {"rates": (0.5,), "max_iter": 1},
    "transfer": {"max_iter": 1},
}


@pytest.fixture(scope="module")
def benchmark():
    """The modules of the benchmark, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A set of texts with two classes, and pairs of sentences, as the benchmarks read them."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    words = ["cat dog mat tail paw fur".split(), "tea milk cup sugar coffee spoon".split()]
    texts = [" ".join(rng.choice(words[i % 2], 6)) for i in range(80)]
    pd.DataFrame({"text": texts, "label": [i % 2 for i in range(80)]}).to_csv(folder / "t.csv")
    said = pd.unique(np.array(texts))[:20]
    frame = {"sentence1": [s + " now" for s in said], "sentence2": said, "score": 5}
    pd.DataFrame({**frame, "split": "test"}).to_csv(folder / "p.csv")
    rows = {"name": ["toy", "pair"], "group": ["text", "pairs"], "files": ["t.csv", "p.csv"]}
    pd.DataFrame({**rows, "target": ["label", "score"]}).to_csv(folder / "MANIFEST.csv")
    return folder


@pytest.mark.parametrize("name", SMALL)
def test_table_has_its_baselines(benchmark, name):
    measure, heading, _ = benchmark("findings").TABLES[name]
    table = measure(1, **SMALL[name])
    assert list(table.index[:2]) == BASELINES and len(table) > 3
    scores = table[["classifier", "nearest neighbours"]]
    assert scores.drop(index=BASELINES[1]).notna().all(axis=None)
    assert scores.min(axis=None) > 0.3 and scores.max(axis=None) <= 1  # a guess has 0.1 or 0.2
    shown = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = {cell.strip() for cell in shown.replace("\n", "|").split("|")}
    assert cells >= {*BASELINES, *table.columns}


def test_true_negatives_are_infonce_where_no_two_rows_are_of_a_class(benchmark):
    import torch

    from skcontrast.objectives import InfoNCE

    views = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    objective = benchmark("findings").TrueNegatives(0.5)
    own = objective(views, target=torch.arange(6))
    torch.testing.assert_close(own, InfoNCE(0.5)(views))
    assert (objective(views, target=torch.arange(6) // 2) < own).all()


def test_more_comparisons_say_more(benchmark):
    table = benchmark("findings_comparisons").comparisons(1, (1, 8), n=40, n_steps=100)
    assert (table["8 n d"] > table["1 n d"]).all() and table.max(axis=None) <= 1


def test_share_of_kept_labels(benchmark):
    share = benchmark("findings_text").share_kept(2, np.array([0, 1]))
    z = np.array([[1.0, 0], [0, 1], [2, 1], [1, 2]])
    assert share(z, z) == 1
    assert share(z, z[[0, 1, 3, 3]]) == 0.5  # the third row has come nearer to the second


def test_tables_of_texts(benchmark, folder, monkeypatch):
    module = benchmark("findings_text")
    monkeypatch.setattr(module, "N_LABELLED", 50)
    views = module.views(folder, ["toy"], epochs=1)["toy"]
    assert views["kept: shuffle"] == 1 >= views["kept: word_deletion, 80 %"]
    assert views[[row for row in views.index if row.startswith("accuracy")]].min() > 0.9
    halves = module.spelling(folder, ["toy"], epochs=1)
    assert list(halves) == ["toy, most", "toy, least"] and halves.min(axis=None) > 0.9
    ranks = module.hybrid(folder, ["pair"], epochs=1)["pair"]
    assert list(ranks.index) == ["TF-IDF", "text encoder", "both, added"] and ranks.min() > 0.8


def test_page_has_every_table(benchmark):
    for module in ("findings", "findings_text"):
        for _, heading, _ in benchmark(module).TABLES.values():
            assert f"\n## {heading}\n" in PAGE
