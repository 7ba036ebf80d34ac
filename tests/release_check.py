"""What ``make release-check`` asks of the two archives that it has built.

python tests/release_check.py sdist    # it holds every file, and its tests can run
python tests/release_check.py wheel    # in an environment that holds nothing but the wheel
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Quick, and between them they read documents, examples, saved folders and golden vectors.
FILES = ["test_docs.py", "test_own_golden.py", "test_house.py"]
SOME = [*FILES, "-k", "links or commands or gradient or test_file"]


def check_sdist():
    """Compare the sdist with what is under version control, and run some of its tests."""
    (path,) = (ROOT / "dist").glob("*.tar.gz")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
        (top,) = Path(folder).iterdir()
        missing = [name for name in tracked if name and not (top / name).exists()]
        if missing:
            sys.exit(f"{path.name} lacks {', '.join(missing)}: add them to MANIFEST.in.")
        env = {**os.environ, "PYTHONPATH": str(top)}
        run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        subprocess.run([*run, "--collect-only", "-qq", "tests"], cwd=top, env=env, check=True)
        subprocess.run([*run, *SOME], cwd=top / "tests", env=env, check=True)
    print(f"{path.name}: all {len(tracked) - 1} files, and their tests run")


def check_wheel():
    """Import the package from the environment of this Python, and use it."""
    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    import skcontrast

    home = Path(skcontrast.__file__).parent
    if Path(sys.prefix) not in home.parents:
        sys.exit(f"skcontrast was imported from {home}, not from the wheel.")
    if not (home / "py.typed").exists():
        sys.exit("The wheel lacks py.typed.")
    X, y = load_iris(return_X_y=True)
    encoder = skcontrast.ContrastiveEncoder(n_components=8, max_iter=5, random_state=0)
    model = make_pipeline(encoder, LogisticRegression(max_iter=1000)).fit(X, y)
    score = model.score(X, y)
    if not score > 0.9:
        sys.exit(f"The accuracy on iris is {score:.3f}.")
    with tempfile.TemporaryDirectory() as folder:
        skcontrast.save(model[0], folder)
        again = skcontrast.load(folder)
    np.testing.assert_array_equal(again.transform(X), model[0].transform(X))
    print(f"skcontrast {skcontrast.__version__}: imported, fitted ({score:.3f}), saved and loaded")


if __name__ == "__main__":
    {"sdist": check_sdist, "wheel": check_wheel}[sys.argv[1]]()
