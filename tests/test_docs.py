"""The documents: every block of code runs, and every fact in a table is the code's."""

import re
from pathlib import Path

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

import skcontrast
from skcontrast.kernels import KERNELS
from skcontrast.networks import NETWORKS, NETWORKS_OF
from skcontrast.objectives import OBJECTIVES
from skcontrast.optimizers import OPTIMIZERS
from skcontrast.samplers import SAMPLERS
from skcontrast.temperatures import TEMPERATURES
from skcontrast.views import SERIES_VIEWS, VIEWS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
REGISTRIES = {
    "objectives": OBJECTIVES,
    "views": VIEWS,
    "views of series": SERIES_VIEWS,
    "temperatures": TEMPERATURES,
    "networks": NETWORKS,
    "networks of series": NETWORKS_OF["series"],
    "kernels": KERNELS,
    "samplers": SAMPLERS,
    "optimizers": OPTIMIZERS,
}
FENCE = re.compile(r"^```python *(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
# What may stand after "python" at the head of a block.
SKIPPED = "no-run"
NEEDS = re.compile(r"scikit-learn>=(\d+(?:\.\d+)*)")


def on_every_document(function):
    names = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
    return pytest.mark.parametrize("path", DOCUMENTS, ids=names)(function)


def blocks(path):
    """(line, info, code) of every block of Python in a document."""
    text = path.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        yield line, match["info"].strip(), match["code"]


def runs_here(info):
    """Whether the head of a block lets it run with this scikit-learn."""
    needed = NEEDS.fullmatch(info)
    assert needed or info in ("", SKIPPED), f"{info!r} is unknown at the head of a block"
    if needed:
        return parse_version(sklearn.__version__) >= parse_version(needed[1])
    return info != SKIPPED


@on_every_document
def test_code_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    namespace = {"__name__": "document"}
    for line, info, code in blocks(path):
        if runs_here(info):
            # The empty lines before make a traceback name the line of the document.
            exec(compile("\n" * line + code, str(path), "exec"), namespace)


@on_every_document
def test_few_blocks_are_not_run(path):
    assert sum(info == SKIPPED for _, info, _ in blocks(path)) <= 2


def anchors(path):
    """Anchors that a viewer makes of the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@on_every_document
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        document = path.parent / name if name else path
        assert document.exists(), target
        if anchor:
            assert anchor in anchors(document), target


@on_every_document
def test_commands_are_there(path):
    text = path.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for name in re.findall(r"(?:python|pytest) ((?:examples|benchmarks|tests)/\S+\.py)", text):
        assert (ROOT / name).exists(), name


def table(path, heading):
    """Cells of the first table below a heading, without the head of the table."""
    text = path.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    rows = re.search(r"(^\|.*\n)+", text, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def code_words(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("kind", REGISTRIES)
def test_table_has_a_row_for_every_name(kind):
    rows = table(ROOT / "docs" / "objectives.md", kind.capitalize())
    described = {code_words(row[0])[0].strip('"'): code_words(row[1])[0] for row in rows}
    assert described == {name: cls.__name__ for name, cls in REGISTRIES[kind].items()}
    for row in rows:
        cls = REGISTRIES[kind][code_words(row[0])[0].strip('"')]
        named = {word.partition("=")[0] for word in code_words(row[-1])}
        assert named <= set(cls().get_params()), f"{cls.__name__} has no {named}"


def test_needs_of_the_objectives():
    rows = table(ROOT / "docs" / "objectives.md", "What each objective needs")
    written = {code_words(row[0])[0].strip('"'): row[1:] for row in rows}
    expected = {}
    for name, cls in OBJECTIVES.items():
        objective = cls()
        others = [what for what in objective.requires if what not in ("views", "embedding")]
        temperature = getattr(objective, "temperature", None)
        expected[name] = [
            str(objective.min_views),
            ", ".join("`y`" if what == "target" else f"`{what}`" for what in others) or "–",
            "–" if temperature is None else str(temperature),
            "yes" if hasattr(objective, "block_size") else "no",
        ]
    assert written == expected


def test_every_room_is_described():
    text = (ROOT / "docs" / "developing.md").read_text(encoding="utf-8")
    package = Path(skcontrast.__file__).parent
    rooms = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    missing = {room for room in rooms if not room.startswith("__") and f"`{room}`" not in text}
    assert not missing
