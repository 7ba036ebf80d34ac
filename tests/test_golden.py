"""Published implementations on small inputs: losses and gradients in float64.

The vectors are data beside the repository (``--golden-dir``). Every case of a file that
has an adapter is compared; files without one are listed after the run.
"""

import pytest
from conftest import golden_dir
from golden_adapters import ADAPTERS
from golden_case import Case, case_names


def pytest_generate_tests(metafunc):
    """Make a test of each case that the folder holds."""
    if "golden" not in metafunc.fixturenames:
        return
    folder = golden_dir(metafunc.config)
    found = [path for path in sorted(folder.glob("*.npz")) if path.stem in ADAPTERS]
    cases = [(path, name) for path in found for name in case_names(path)]
    ids = [f"{path.stem}-{name}" for path, name in cases]
    if not cases:
        reason = "no golden vectors found beside the repository: pass --golden-dir DIR"
        cases, ids = [pytest.param(None, marks=pytest.mark.skip(reason=reason))], ["none"]
    metafunc.parametrize("golden", cases, ids=ids)


def test_golden(golden):
    path, name = golden
    case = Case(path, name)
    ADAPTERS[path.stem](case)
    case.finish()


def test_every_adapter_has_its_file(pytestconfig):
    folder = golden_dir(pytestconfig)
    if not folder.is_dir():
        pytest.skip("no golden vectors found beside the repository: pass --golden-dir DIR")
    missing = [name for name in ADAPTERS if not (folder / f"{name}.npz").exists()]
    if len(missing) == len(ADAPTERS):
        pytest.skip("the folder holds none of the files")
    for name in set(ADAPTERS) - set(missing):
        assert case_names(folder / f"{name}.npz"), f"{name}.npz holds no case"
