"""The project's own golden vectors: losses and gradients that plain loops gave, in float64.

``tests/make_golden.py`` writes the files; this file needs nothing but them and the package.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from skcontrast.objectives import OBJECTIVES

FOLDER = Path(__file__).parent / "golden"
FILES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
EVERY = [(name, i) for name in sorted(FILES) for i in range(len(FILES[name]))]
every = pytest.mark.parametrize(("name", "number"), EVERY, ids=[f"{n}-{i}" for n, i in EVERY])


def close(given, expected, tolerance):
    np.testing.assert_allclose(given, expected, rtol=tolerance, atol=tolerance)


@every
def test_loss_and_gradient(name, number):
    case = FILES[name][number]
    objective = OBJECTIVES[name]().set_params(**case["params"])
    views = torch.tensor(case["views"], dtype=torch.float64, requires_grad=True)
    side = {key: torch.tensor(np.array(values)) for key, values in case["side"].items()}
    if "n_steps" in case:
        side["steps"] = views.unflatten(2, (case["n_steps"], -1))
    loss = objective(views, **side)
    loss.mean().backward()
    assert loss.shape == np.shape(case["loss"]) and any(np.ravel(case["loss"]))
    close(loss.detach(), case["loss"], 1e-9)
    assert np.abs(case["gradient"]).max() > 1e-4
    close(views.grad, case["gradient"], 1e-8)


@every
def test_the_numbers_are_those_of_the_loops(name, number):
    # Imported here: the test above is for readers who have these two files alone.
    from golden_loops import CASES
    from make_golden import losses, views_of

    case, written = CASES[name][number], FILES[name][number]
    views = views_of(case, number)
    close(views, written["views"], 0)
    close(losses(case, views), written["loss"], 1e-11)
    assert json.dumps([case.params, case.side]) == json.dumps([written["params"], written["side"]])


def test_every_objective_has_a_file():
    from golden_loops import CASES, WITHOUT

    assert FILES.keys() == CASES.keys() == OBJECTIVES.keys() - WITHOUT
