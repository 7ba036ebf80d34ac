"""The site: what it lists is what the package has, and its first page shows what comes out."""

import contextlib
import importlib
import importlib.util
import inspect
import io
import pkgutil
import re
import sys
from email.message import Message
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from sklearn import datasets
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skcontrast
from skcontrast import ContrastiveEncoder, KernelConditionalContrastive, _site

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = (DOCS / "api.rst").read_text(encoding="utf-8")
PAGES = {path.stem for suffix in ("md", "rst") for path in DOCS.glob(f"*.{suffix}")}


def reference():
    """(module, name) of every entry of the API reference, constants and tables too."""
    module, listing = None, False
    for line in REFERENCE.splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split()[-1]
        elif line.startswith(".. autosummary::"):
            listing = True
        elif line.startswith("   ") and listing and not line.strip().startswith(":"):
            yield module, line.strip()
        elif line.startswith(("Tables", "Scorers")):
            listing = False
            words = re.findall(r"``([A-Za-z_]+)``", line)
            yield from ((module, name) for name in words if name != "get_scorer")
        elif line and not line.startswith(" "):
            listing = False


LISTED = list(reference())


def public_rooms():
    for found in pkgutil.iter_modules(skcontrast.__path__):
        if not found.name.startswith("_"):
            yield importlib.import_module(f"skcontrast.{found.name}")


def test_every_entry_of_the_reference_is_there_once():
    assert len(LISTED) == len(set(LISTED))
    for module, name in LISTED:
        assert hasattr(importlib.import_module(module), name), (module, name)


def test_every_public_name_is_in_the_reference():
    listed = {id(getattr(importlib.import_module(module), name)) for module, name in LISTED}
    missing = [n for n in skcontrast.__all__ if id(getattr(skcontrast, n)) not in listed]
    assert missing == ["__version__"]
    for room in public_rooms():
        own = [n for n, v in vars(room).items() if inspect.isclass(v) or inspect.isfunction(v)]
        home = [n for n in own if getattr(room, n).__module__ == room.__name__ and n[0] != "_"]
        missing = [n for n in getattr(room, "__all__", home) if id(getattr(room, n)) not in listed]
        assert not missing, f"{room.__name__} has {missing}, which docs/api.rst does not list"


def test_every_page_is_found_from_the_start():
    found, queue = set(), ["index"]
    while queue:
        page = queue.pop()
        path = DOCS / f"{page}.md"
        if page in found or not path.exists():
            continue
        found.add(page)
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            for line in tree.splitlines():
                queue.append(re.sub(r".*<(.*)>", r"\1", line.strip()))
    assert PAGES - found == {"api"}  # listed on the start page, and no Markdown


@pytest.mark.parametrize("page", ["docs/index.md", "README.md"])
def test_first_example_prints_what_the_page_shows(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    assert out.getvalue() == shown


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_have_a_heading_and_run_as_notebooks(path):
    text = path.read_text(encoding="utf-8")
    title, line = text.splitlines()[:2]
    assert title.startswith('"""') and re.fullmatch("=+", line)
    assert len(line) >= len(title) - 3
    # A notebook has no file, and arguments that are not for the example.
    assert not re.search(r"(?<!\.)__file__|\bargparse\b|\bsys\.argv\b", text)
    assert "plt.show()" in text


# What an example reads where no data are near and nothing can be downloaded.
INSTALLED = {
    "fair_representation": "Data: scikit-learn's diabetes",
    "few_shot_text": "Data: docstrings of SciPy and scikit-learn",
    "mixed_table": "Data: wines",
    "search_documents": "Data: docstrings of SciPy and scikit-learn",
    "sentence_similarity": "Data: first sentences of the docstrings of SciPy and scikit-learn",
    "text_classification": "Data: docstrings of SciPy and scikit-learn",
    "topics_of_texts": "Data: docstrings of SciPy and scikit-learn",
    "word_vectors": "Data: docstrings of SciPy and scikit-learn",
}


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # parts of SciPy
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_run_without_a_network(path, monkeypatch, tmp_path, capsys):
    text = path.read_text(encoding="utf-8")
    if not re.search("fetch_|import .*newsgroups|import .*docstrings", text):
        assert path.stem not in INSTALLED
        return

    def refuse(*args, **kwargs):
        raise URLError("no network")

    for name in re.findall(r"\bfetch_\w+", " ".join(datasets.__all__)):
        monkeypatch.setattr(datasets, name, refuse)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "examples")
    # Imported anew, and forgotten afterwards, as it keeps the function that refuses.
    monkeypatch.setitem(sys.modules, "text_classification", None)
    del sys.modules["text_classification"]
    space = {"__name__": path.stem}
    exec(text.partition("\nX, X_test, ")[0], space)  # what follows trains
    found = space["load"]()
    assert INSTALLED[path.stem] in capsys.readouterr().out
    rows, labels = found[:2] if isinstance(found, tuple) else (found, None)
    assert len(rows) > 150
    if labels is not None:
        assert len(labels) == len(rows) and len(set(labels)) > 1


@pytest.mark.parametrize(
    "word",
    "self-supervised SimCLR augmentation embedding anchor out-of-distribution kNN ablation outlier "
    "retrieval few-shot zero-shot fairness imbalanced semi-supervised".split(),
)
def test_standard_terms_are_found(word):
    pages = ("index", "user_guide", "glossary", "faq")
    text = " ".join((DOCS / f"{page}.md").read_text(encoding="utf-8") for page in pages)
    assert word.lower() in text.lower()


X = np.random.default_rng(0).normal(size=(12, 5))
MISSING = np.where(np.eye(12, 5) > 0, np.nan, X)
ENCODER = ContrastiveEncoder(max_iter=1)
MESSAGES = {
    "X holds strings": lambda: ENCODER.fit([["a", "b"]] * 4),
    "Input X contains NaN": lambda: ENCODER.fit(MISSING),
    "SupCon requires y to be passed": lambda: ContrastiveEncoder(objective="supcon").fit(X),
    "requires y to be passed, but the target y is None": lambda: KernelConditionalContrastive().fit(
        X
    ),
    "Pipeline.fit does not accept the condition parameter": lambda: make_pipeline(
        KernelConditionalContrastive()
    ).fit(X, condition=X),
    "The 'objective' parameter of ContrastiveEncoder must be": lambda: ContrastiveEncoder(
        objective="infonce"
    ).fit(X),
    "X has 3 features, but ContrastiveEncoder is expecting 5 features as input": lambda: (
        ContrastiveEncoder(max_iter=1).fit(X).transform(X[:, :3])
    ),
    "y has no labelled row": lambda: skcontrast.SupervisedContrastiveClassifier().fit(X, [-1] * 12),
    "Unknown label type: continuous": lambda: skcontrast.SupervisedContrastiveClassifier().fit(
        X, X[:, 0]
    ),
    "X is one string": lambda: skcontrast.ContrastiveTextEncoder().fit("one text"),
    "X holds no words": lambda: skcontrast.Word2VecVectorizer().fit(["a b c", "d e f"]),
    "asks for a CUDA device, but torch finds 0 of them": None,  # depends on the machine
    "estimator.json is missing": lambda: skcontrast.load(ROOT / "docs"),
}


def test_messages_of_the_page_are_those_below():
    text = (DOCS / "faq.md").read_text(encoding="utf-8")
    assert re.findall(r'^### "(.*)"$', text, re.MULTILINE) == list(MESSAGES)


@pytest.mark.parametrize("message", [m for m, call in MESSAGES.items() if call])
def test_messages_are_the_package_s(message):
    with pytest.raises((ValueError, TypeError, OSError, NotFittedError), match=re.escape(message)):
        MESSAGES[message]()


def extension(name):
    """A module of docs/_extensions."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_formulas_are_mathml_and_what_is_unknown_stops_the_build(monkeypatch):
    pytest.importorskip("latex2mathml")
    mathml, said = extension("mathml"), []
    monkeypatch.setattr(mathml.LOGGER, "warning", lambda *args, location: said.append(args))
    assert "<mfrac>" in mathml.mathml(r"\frac{a}{b}", "block")
    assert not said
    mathml.mathml(r"\nocommand", "inline")
    assert said == [("no MathML for %s", r"\nocommand")]


def of_the_reference():
    """Every class that is listed and has parameters: estimators and their parts."""
    for module, name in LISTED:
        value = getattr(importlib.import_module(module), name)
        if inspect.isclass(value) and issubclass(value, BaseEstimator):
            yield pytest.param(value, f"{module}.{name}", id=f"{module}.{name}")


@pytest.mark.parametrize(("value", "page"), list(of_the_reference()))
def test_page_of_a_class(value, page, monkeypatch):
    made = value.__new__(value)
    monkeypatch.setattr(_site, "site", lambda: "https://docs.example")
    assert made._get_doc_link() == f"https://docs.example/generated/{page}.html"
    monkeypatch.setattr(_site, "site", lambda: "")
    assert made._get_doc_link() == ""


def test_html_links_where_the_metadata_has_an_address(monkeypatch):
    metadata = Message()
    metadata["Project-URL"] = "Source, https://code.example"
    monkeypatch.setattr(_site, "metadata", lambda name: metadata)
    assert "generated/" not in ContrastiveEncoder()._repr_html_()

    metadata["Project-URL"] = "Documentation, https://docs.example/stable/"
    page = "https://docs.example/stable/generated/skcontrast.ContrastiveEncoder.html"
    assert f'href="{page}"' in ContrastiveEncoder()._repr_html_()

    class Own(ContrastiveEncoder):
        pass

    assert "docs.example" not in Own()._repr_html_()  # a class of somebody else


def section(name):
    """Text of a page, or of one of its sections: "page" or "page#anchor"."""
    page, _, anchor = name.partition("#")
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    if not anchor:
        return text
    parts = re.split(r"^(?=#+ )", text, flags=re.MULTILINE)
    found = [part for part in parts if slug(part.partition("\n")[0].lstrip("# ")) == anchor]
    assert len(found) == 1, name
    return found[0]


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# What people type into the search, and where the answer stands.
ANSWERS = {
    "5 labels a class": "guide#few-labels",
    "self-supervised": "guide",
    "SimCLR": "guide",
    "time series": "guide#what-comes-out",
    "outlier": "faq#can-it-find-outliers",
    "contrastive PCA": "contrastive_pca",
    "domain adaptation": "user_guide",
    "novelty detection": "anomalies",
    "anomaly": "anomalies",
    "topic modelling": "topics",
    "retrieval": "faq#how-do-i-find-similar-rows-retrieval-semantic-search",
    "BM25": "retrieval",
    "nearest neighbours": "retrieval#an-index-of-an-embedding",
    "zero-shot": "proker",
    "imbalanced": "supervised#class-weights-and-long-tails",
    "fairness": "kernel_conditional#fair-representations",
    "missing values": "guide#a-table-with-categories-and-missing-values",
    "out of core": "cost#memory",
    "mislabelled": "faq#some-of-my-rows-are-mislabelled-what-now",
    "semi-supervised": "supervised",
    "hyperparameter": "tuning",
    "augmentation": "guide#views",
    "reproducible": "reproducibility",
}

# What a newcomer has, in the words of the start page, and the example that shows it.
NEWCOMERS = {
    "labels, say 5 a class": "semi_supervised_labels",
    "texts, few labels": "text_classification",
    "the same and a few labels a class (few-shot)": "few_shot_text",
    "few rows with a number to predict": "regression_few_labels",
    "must not know": "fair_representation",
    "weak attributes": "weak_attributes",
    "long tail": "long_tailed_classes",
    "a corpus": "word_vectors",
    "documents or rows, and queries": "search_documents",
    "any good": "embedding_quality",
    "always the same few rows": "hubs",
    "mislabelled": "mislabelled_rows",
    "unlike the others": "unknown_digits",
    "a heap of texts": "topics_of_texts",
    "cross-validated": "search_everything",
    "long recording with a time stamp": "recording_with_times",
    "long recording in even steps": "recording_with_behaviour",
    "change points": "change_points",
    "two tables of the same rows": "two_tables",
    "such as cases and controls": "contrastive_pca",
    "rows that lack a table": "missing_block",
    "a join that may be wrong": "wrong_pairs",
    "cheap and one that is dear": "cheap_block",
    "more rows than memory": "rows_from_disk",
    "classes from few labels": "few_labelled_series",
}


@pytest.mark.parametrize("words", NEWCOMERS)
def test_start_page_leads_to_the_example(words):
    found = [row for row in section("index").splitlines() if row.startswith("|") and words in row]
    assert len(found) == 1
    assert f"[example](../examples/{NEWCOMERS[words]}.py)" in found[0]


def test_start_page_has_every_example():
    linked = set(re.findall(r"\.\./examples/(\w+)\.py", section("index")))
    assert linked == {path.stem for path in (ROOT / "examples").glob("*.py")}


def test_every_page_has_its_place_in_the_lists():
    spec = importlib.util.spec_from_file_location("conf", DOCS / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    parts = "|".join(conf.site_parts.values())
    assert {page for page in PAGES if not re.fullmatch(parts, page)} == {"changelog"}
    scorer = (DOCS / "_extensions" / "search_scorer.js").read_text(encoding="utf-8")
    lists, figures = (set(words.split("|")) for words in re.findall(r"/\^\((.*)\)\$/;", scorer))
    assert lists - PAGES == {r"auto_examples\/index"}
    tree = re.search(r"```\{toctree\}\n(.*?)```", section("evidence"), re.DOTALL)[1]
    assert figures == set(re.findall(r"<(.*)>", tree)) - lists


@pytest.mark.parametrize("words", ANSWERS)
def test_search_leads_to_the_answer(words):
    assert words.lower() in section(ANSWERS[words]).lower().replace("\n", " ")


def test_old_addresses_lead_on():
    moved = re.findall(r"^\((.*)\)=$", section("guide"), re.MULTILINE)
    assert {"memory", "saving", "checkpoints", "callbacks", "networks"} <= set(moved)
    text = section("guide")
    assert re.search(r"(?:^\(.*\)=\n)+\n## More\n", text, re.MULTILINE), "they stand at its end"
    assert not {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M)} & set(moved)


def prose(text):
    """Words outside tables and blocks of code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "    "))]
    return len(" ".join(lines).split())


def test_prose_is_short():
    pages = {path.stem: prose(path.read_text("utf-8")) for path in sorted(DOCS.glob("*.md"))}
    pages.pop("changelog")
    for page, words in pages.items():
        print(f"{words:6d} {page}")
    print(f"{sum(pages.values()):6d} words of prose")
    assert sum(pages.values()) < 25_000


def figures(text):
    return set(re.findall(r"(?<![\d.])0?(\.\d{3})\b", text))


def test_figures_of_the_findings_are_those_of_their_page():
    said = figures(section("anatomy#what-findings-say-and-what-came-out-here"))
    assert len(said) > 20 and said <= figures(section("findings"))


def test_order_of_the_knobs_is_that_of_the_ablation():
    ablation = section("ablation")
    headings = "Beside the parts", "The learned columns alone"
    columns = [section_of(ablation, heading) for heading in headings]
    rows = re.findall(r"^\|.*\| `(.*)` \| (\S+) \| (\S+) \|$", section("tuning"), re.MULTILINE)
    assert len(rows) == 7
    for change, *said in rows:
        found = [
            re.search(rf"^\| `{re.escape(change)}` +\| \**(\S+) ", text, re.M)[1]
            for text in columns
        ]
        assert found == said, change


def section_of(text, heading):
    """The first section of a heading that stands more than once."""
    return text.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]


def test_parts_of_the_anatomy_are_parameters():
    text = section("anatomy")
    parts = text.partition("\n| anchor")[2].partition("```")[0]
    named = {name for name in re.findall(r"`(\w+)=", parts)}
    settings = set(ContrastiveEncoder().set_params(objective__temperature=0.2).get_params())
    assert named - {"block_size"} <= settings and "views" in named
    example = re.search(r"method = ContrastiveEncoder\(\n(.*?)\n\)", text, re.DOTALL)[1]
    assert len(re.findall(r"^    (\w+)=", example, re.MULTILINE)) == 9
