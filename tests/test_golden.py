"""Published implementations on small inputs: losses and gradients in float64.

The vectors are data beside the repository (``--golden-dir``). Every case of a file that
has an adapter is compared; files without one are listed after the run.
"""

import numpy as np
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


def test_an_adapter_that_leaves_something_out_fails(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, c3_loss=1.0, c3_grad_z=np.zeros(2), case12_loss=2.0)
    assert case_names(path) == ["c3", "case12"]
    case = Case(path, "c3")
    with pytest.raises(AssertionError, match="compared nothing"):
        case.finish()
    case.check("loss", 1.0)
    with pytest.raises(AssertionError, match="not compared: grad_z"):
        case.finish()
    case.waive("for this test", "grad_z")
    case.finish()
    with pytest.raises(AssertionError, match="some c3: loss"):
        case.check("loss", 1.0 + 1e-8)
