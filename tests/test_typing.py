"""What editors and type checkers see of the package."""

import ast
import importlib
import inspect
import subprocess
import sys
import types
import typing
from pathlib import Path

import jedi
import pytest

import skcontrast
from skcontrast._component import Integral, Interval, Real, Several, Shorthand, StrOptions

ROOT = Path(skcontrast.__file__).parent
# Rooms whose signatures have no annotations yet; a line goes when its room has them.
PENDING: tuple[str, ...] = ()
PUBLIC_MODULES = [
    f"skcontrast.{path.stem}"
    for path in sorted(ROOT.iterdir())
    if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists())
]


OPERATORS = "__init__", "__call__", "__add__", "__mul__"


def lazy_modules():
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        # Not the method of a class.
        if any(n.name == "__getattr__" and n.args.args[0].arg != "self" for n in found):
            yield path, tree


def test_lazy_names_are_imported_for_checkers():
    lazy = dict(lazy_modules())
    assert ROOT / "__init__.py" in lazy
    for path, tree in lazy.items():
        blocks = [n for n in tree.body if isinstance(n, ast.If)]
        (block,) = (n for n in blocks if ast.unparse(n.test) == "TYPE_CHECKING")
        seen = {a.asname or a.name: n.module for n in block.body for a in n.names}
        # A checker that sees __getattr__ takes a misspelt name for one that is there.
        assert [n.name for n in block.orelse] == ["__getattr__"]
        tables = [n for n in tree.body if isinstance(n, ast.Assign) and len(n.targets) == 1]
        table = {n.targets[0].id: n.value for n in tables}
        assert seen == ast.literal_eval(table["_PUBLIC"]), path
        assert {*seen, "__version__"} == set(ast.literal_eval(table["__all__"])), path


def public_values():
    for name in PUBLIC_MODULES:
        module = importlib.import_module(name)
        own = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == name]
        for attribute in getattr(module, "__all__", own):
            value = getattr(module, attribute)
            if not attribute.startswith("_") and isinstance(value, (type, types.FunctionType)):
                yield value


def public_functions():
    """Functions, constructors, methods and properties: {qualified name: function}."""
    found = {}
    for value in public_values():
        members = [value] if inspect.isfunction(value) else []
        for base in value.__mro__ if isinstance(value, type) else ():
            own = vars(base).items() if base.__module__.startswith("skcontrast") else ()
            members += [
                inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
                for name, member in own
                if not name.startswith("_") or name in OPERATORS
            ]
        for member in filter(inspect.isfunction, members):
            found[f"{member.__module__}.{member.__qualname__}"] = member
    return found


FUNCTIONS = public_functions()


def is_complete(function):
    signature = inspect.signature(function)
    named = [p for name, p in signature.parameters.items() if name not in ("self", "cls")]
    returns = function.__name__ == "__init__" or signature.return_annotation is not signature.empty
    return returns and all(p.annotation is not p.empty for p in named)


def test_public_signatures_are_annotated():
    unknown = {name for name, function in FUNCTIONS.items() if not is_complete(function)}
    # A name is its module's, or that of a room, which holds modules.
    homes = {room: {n for n in unknown if n.startswith(f"{room}.")} for room in PENDING}
    assert unknown - set().union(*homes.values()) == set()
    done = [room for room, names in homes.items() if not names]
    assert not done, f"these are annotated by now, so take them out of PENDING: {done}"


CONSTRUCTORS = {
    value.__name__: value
    for value in public_values()
    if hasattr(value, "_parameter_constraints")
    and inspect.isfunction(vars(value).get("__init__"))
    and is_complete(value.__init__)
}


@pytest.mark.parametrize("name", sorted(CONSTRUCTORS))
def test_annotations_and_constraints_agree(name):
    cls = CONSTRUCTORS[name]
    hints = typing.get_type_hints(cls.__init__)
    for parameter, constraints in cls._parameter_constraints.items():
        hint = hints[parameter]
        union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        kinds = typing.get_args(hint) if union else (hint,)
        literal = {s for k in kinds if typing.get_origin(k) is typing.Literal for s in k.__args__}
        names, needed = set(), set()
        for constraint in [constraints] if isinstance(constraints, str) else constraints:
            if isinstance(constraint, Several):
                continue
            if isinstance(constraint, Shorthand) or constraint is str:
                needed.add(str)
            elif isinstance(constraint, StrOptions):
                names |= set(constraint.options)
            elif isinstance(constraint, Interval) or constraint in (Integral, Real):
                kind = getattr(constraint, "type", constraint)
                needed.add(int if kind is Integral else float)
            elif constraint in ("boolean", "verbose", "random_state"):
                needed.add(bool if constraint == "boolean" else int)
        assert literal == names, parameter
        assert needed <= set(kinds), parameter
        may_be_none = None in constraints or "random_state" in constraints
        assert (type(None) in kinds) == may_be_none, parameter


# Lines with a mistake end in "# wrong"; mypy has to find these and no others.
SNIPPET = """
from typing import assert_type
import numpy as np
import skcontrast
from skcontrast.kernels import RBF
from skcontrast.metrics import uniformity
from skcontrast.objectives import InfoNCE, Objective

skcontrast.ProKeRClassifier(kernel="rbf")
skcontrast.ProKeRClassifier(kernl="rbf")  # wrong
skcontrast.ProKeRClassifier(kernel=0.5 * RBF(), gamma=[0.1, 1.0], alpha=np.ones(2))
skcontrast.ProKeRClassifier(gamma="aut")  # wrong
skcontrast.ProKeRClassifier(max_iter="many")  # wrong
skcontrast.ContrastiveEncoder(n_components=8, views="mask")
skcontrast.ContrastiveEncoder(n_component=8)  # wrong
skcontrast.Word2VecVectorizer(stop_words=["the"], random_state=np.random.RandomState(0))
skcontrast.Word2VecVectorizer(random_state=np.random.default_rng(0))  # wrong
skcontrast.Nothing  # wrong
InfoNCE(temperature="learned", form="two_way")
InfoNCE(form="two_ways")  # wrong
InfoNCE().temprature  # wrong
assert_type(0.5 * InfoNCE() + InfoNCE(), Objective)

model = skcontrast.ProKeRClassifier().fit([[0.0], [1.0]], ["a", "b"])
assert_type(model, skcontrast.ProKeRClassifier)
assert_type(model.predict(np.zeros((1, 1))), np.ndarray)
model.fit([[0.0], [1.0]])  # wrong
words = skcontrast.Word2VecVectorizer().fit(["a b", ["b", "a"]])
assert_type(words.most_similar(["a", np.ones(3)], topn=1), list[tuple[str, float]])
words.most_similar("a", top_n=1)  # wrong
assert_type(uniformity([[0.0, 1.0]]), float)
skcontrast.save(model, 3)  # wrong
"""

# torch is large, and nothing here depends on what it says.
SETTINGS = """
[mypy]
ignore_missing_imports = True
follow_imports = silent
cache_dir = cache
[mypy-torch.*]
follow_imports = skip
"""


def test_mypy_finds_mistakes(tmp_path, monkeypatch):
    (tmp_path / "snippet.py").write_text(SNIPPET)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    monkeypatch.setenv("MYPYPATH", str(ROOT.parent))
    command = [sys.executable, "-m", "mypy", "snippet.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    lines = [line.split(":")[1:3] for line in result.stdout.splitlines()]
    found = {int(line[0]) for line in lines if line[1:] == [" error"]}
    wrong = {n for n, line in enumerate(SNIPPET.splitlines(), 1) if line.endswith("# wrong")}
    assert found == wrong, result.stdout + result.stderr


def script(line):
    environment = jedi.InterpreterEnvironment()
    project = jedi.Project(ROOT.parent, load_unsafe_extensions=False)
    code = f"import skcontrast\nskcontrast.{line}"
    return jedi.Script(code, project=project, environment=environment)


@pytest.mark.parametrize(
    "line, expected",
    [
        ("ProKeRC", "ProKeRClassifier"),
        ("ProKeRClassifier(ker", "kernel="),
        ("ContrastiveEncoder(n_comp", "n_components="),
        ("ProKeRClassifier().fit([[0.0]], [0]).predict_", "predict_proba"),
        # From a mixin of the class whose method ``fit`` is.
        ("Word2VecVectorizer().fit(['a']).most_", "most_similar"),
    ],
)
def test_completion(line, expected):
    assert expected in [found.name for found in script(line).complete()]


def test_constructor_is_shown_with_its_types():
    (signature,) = script("ProKeRClassifier(").get_signatures()
    shown = {p.name: p.description.removeprefix("param ") for p in signature.params}
    assert list(shown) == list(inspect.signature(skcontrast.ProKeRClassifier).parameters)
    assert shown["fit_intercept"] == 'fit_intercept: bool | Literal["auto"]="auto"'


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "py.typed").is_file()
