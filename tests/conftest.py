"""Options and hooks of the whole test suite."""

import os
from pathlib import Path

import pytest
import torch

# The tests run in several processes; more threads in each would only get in the way.
if "OMP_NUM_THREADS" not in os.environ:
    torch.set_num_threads(1)


def pytest_addoption(parser):
    """Add ``--golden-dir``."""
    parser.addoption(
        "--golden-dir",
        default=None,
        help="folder with the golden vectors (default: ../shared/golden beside the repository)",
    )


def golden_dir(config):
    """Folder of the golden vectors: a Path, which may not exist."""
    given = config.getoption("--golden-dir")
    return Path(given) if given else config.rootpath.parent / "shared" / "golden"


def pytest_collection_modifyitems(items):
    """Skip the tests marked ``gpu`` where there is no GPU."""
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device, and none was found")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)


def pytest_terminal_summary(terminalreporter, config):
    """List the golden files that no adapter reads yet."""
    stats = terminalreporter.stats
    reports = [r for kind in ("passed", "failed", "skipped") for r in stats.get(kind, [])]
    if not any("test_golden" in report.nodeid for report in reports):
        return
    from golden_adapters import ADAPTERS

    names = sorted(path.stem for path in golden_dir(config).glob("*.npz"))
    missing = [name for name in names if name not in ADAPTERS]
    if missing:
        terminalreporter.section("golden files without an adapter")
        terminalreporter.write_line(f"{len(missing)} of {len(names)}: {', '.join(missing)}")
