"""The laws of the house, kept by machine."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString

import skcontrast
from skcontrast._component import Component

ROOT = Path(skcontrast.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MODULES = sorted(
    m.name for m in pkgutil.walk_packages([str(ROOT)], "skcontrast.") if "__" not in m.name
)

# Every module stands on a floor and imports from lower floors, or from its own package.
FLOORS = {
    "_ranks": -1,
    "_site": -1,
    "_typing": 0,
    "_version": 0,
    "_progress": 1,
    "_state": 0,
    "functional": 0,
    "_component": 0,
    "_files": 0,
    "_budget": 1,
    "_clusters": 0,
    "_canonical": 0,
    "_arrays": 0,
    "_inputs": 1,
    "optimizers": 1,
    "replay": 1,
    "kernels": 4,
    "temperatures": 1,
    "samplers": 2,
    "networks": 2,
    "views": 2,
    "metrics": 1,
    "topics": 1,
    "_output": 2,
    "geometry": 2,
    "model_selection": 2,
    "retrieval": 2,
    "postprocessing": 3,
    "_training": 3,
    "_saved": 4,
    "checkpoint": 4,
    "objectives": 5,
    "persistence": 5,
    "base": 6,
    "adaptation": 7,
    "representation": 8,
    "text": 8,
    "multiview": 8,
    "contrast": 8,
    "supervised": 9,
    "anomaly": 9,
    "inspection": 10,
    "plotting": 10,
}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "config", "trainer"}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def part(path):
    """The first name below the package: the room that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.count("\n")
    assert lines <= 400, f"{lines} lines: there are two ideas in this file"
    assert path.stem not in FORBIDDEN_NAMES
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{node.name} has {length} lines"
            # But where names are data, as those of blocks are.
            named = node.name == "__init__" and node.args.kwarg and path.stem != "blocks"
            assert not named, "**kwargs in __init__"
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            assert not any(isinstance(d, (ast.List, ast.Dict, ast.Set)) for d in defaults)
    room = part(path)
    if room == "__init__":
        return
    for name in imported(tree):
        package, _, rest = name.partition(".")
        if package == "skorch":
            assert path.parts[-2:] == ("_training", "loop.py"), "only the loop imports skorch"
        if package == "sklearn" and any(p.startswith("_") for p in rest.split(".")):
            assert path.name == "_component.py", f"{name} is private"
        if package == "skcontrast" and rest:
            other = rest.partition(".")[0]
            if other != room:
                assert FLOORS[other] < FLOORS[room], f"{room} imports {other}, which is above"


def test_the_frame_is_short():
    assert len((ROOT / "base.py").read_text(encoding="utf-8").splitlines()) < 250
    # A kind of row knows nothing of how it is trained.
    for path in (ROOT / "_inputs").glob("*.py"):
        assert "skcontrast._training" not in path.read_text(encoding="utf-8"), path


def test_import_is_light():
    code = (
        "import sys, skcontrast;"
        "heavy = {'torch', 'skorch', 'sklearn', 'scipy'} & set(sys.modules);"
        "assert not heavy, heavy; dir(skcontrast); skcontrast.ContrastiveEncoder;"
        "assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_sorted_and_there():
    assert skcontrast.__all__ == sorted(skcontrast.__all__)
    assert all(hasattr(skcontrast, name) for name in skcontrast.__all__)
    assert (ROOT / "py.typed").exists()
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = skcontrast.Nothing


def public_objects():
    found = {}
    for name in MODULES:
        if any(piece.startswith("_") for piece in name.split(".")[1:]):
            continue
        module = importlib.import_module(name)
        for attribute in getattr(module, "__all__", dir(module)):
            value = getattr(module, attribute)
            home = getattr(value, "__module__", "") or ""
            public = not attribute.startswith("_") and home.startswith("skcontrast")
            if public and (inspect.isclass(value) or inspect.isfunction(value)):
                found[f"{value.__module__}.{attribute}"] = value
    return found


PUBLIC = public_objects()


def components():
    return {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring(name):
    value = PUBLIC[name]
    doc = inspect.getdoc(value)
    assert doc, "no docstring"
    is_class = inspect.isclass(value)
    if is_class and not (issubclass(value, Component) or hasattr(value, "fit")):
        return
    entries = NumpyDocString(doc)["Parameters"]
    if not is_class and not entries:
        return
    parameters = dict(inspect.signature(value).parameters)
    names = [n.strip().lstrip("*") for entry in entries for n in entry.name.split(",")]
    assert sorted(names) == sorted(parameters)
    # What an entry says of several parameters may stand at the end.
    alone = [entry.name for entry in entries if "," not in entry.name]
    assert [n for n in map(str.strip, alone) if n in parameters] == [
        n for n in parameters if n in alone
    ]
    for entry in entries:
        first = parameters[entry.name.split(",")[0].strip().lstrip("*")]
        if is_class and first.default is not first.empty:
            assert "default=" in entry.type, f"{entry.name}: its default is not documented"


CLASSES = sorted(n for n, v in PUBLIC.items() if inspect.isclass(v) and issubclass(v, Component))


@pytest.mark.parametrize("name", CLASSES)
def test_component(name):
    value = PUBLIC[name]
    parameters = inspect.signature(value.__init__).parameters
    stored = {n for n in parameters if n not in ("self", "args", "kwargs")}
    assert stored == set(value._parameter_constraints), "constraints and parameters differ"
    finder = doctest.DocTestFinder(recurse=False)
    examples = [e for d in finder.find(value, name) for e in d.examples]
    base = {"Objective", "View", "PairObjective", "Kernel", "Component"}
    assert examples or value.__name__ in base, "no example in the docstring"
