"""Write the golden vectors of the project: losses and gradients by plain loops, in float64.

    python tests/make_golden.py

Each file of ``tests/golden`` is one objective: parameters, views, what stands beside them, the
loss of every anchor and the gradient of their mean. With ``n_steps`` the columns of the views are
those of so many steps of series. The gradient is that of the loop, by differences of the eighth
order, so nothing in a file comes from the package that is tested.
"""

import json
from pathlib import Path

import numpy as np
from golden_loops import CASES

FOLDER = Path(__file__).parent / "golden"
# f'(x) = sum c_k (f(x + k h) - f(x - k h)) / h, up to h^8.
STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
# Small, so that few steps cross an edge of a formula that has edges.
STEP = 2e-4


def views_of(case, number):
    """Random views with three decimals, of rows of uneven length."""
    rng = np.random.default_rng(number)
    views = rng.normal(size=(case.n_views, case.n, case.d)) * rng.uniform(0.5, 2, size=(case.n, 1))
    return views.round(3)


def losses(case, views):
    return np.asarray(case.loop(views), dtype=np.float64)


def gradient(case, views):
    """Gradient of the mean loss, one entry of the views at a time."""
    out = np.empty_like(views)
    for place in np.ndindex(views.shape):
        moved, slope = views.copy(), 0.0
        for k, weight in STENCIL.items():
            for sign in (1, -1):
                moved[place] = views[place] + sign * k * STEP
                slope += sign * weight * losses(case, moved).mean()
        out[place] = slope / STEP
    return out


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, cases in CASES.items():
        written = []
        for number, case in enumerate(cases):
            views = views_of(case, number)
            numbers = {
                "views": views.tolist(),
                "loss": losses(case, views).tolist(),
                "gradient": gradient(case, views).round(13).tolist(),
            }
            steps = {"n_steps": case.n_steps} if case.n_steps else {}
            written.append({"params": case.params, "side": case.side, **steps, **numbers})
        lines = ",\n".join(json.dumps(entry) for entry in written)
        (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {len(written)} cases")


if __name__ == "__main__":
    main()
