"""A training that was cut short ends where an unbroken one ends, bit for bit."""

import errno
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import joblib
import numpy as np
import pytest
import torch
from broken import damages, full_disk
from instances import blobs
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import nn

from skcontrast import ContrastiveEncoder, _files
from skcontrast._training.checkpoint import fingerprint
from skcontrast.checkpoint import Checkpoint
from skcontrast.networks import MLP
from skcontrast.objectives import InfoNCE, InstanceDiscrimination, SelfDistillation
from skcontrast.optimizers import SGD

X, Y = blobs()


class Killed(Exception):
    pass


class Killer(Callback):
    """Ends the process's work in a batch of an epoch, as a kill would."""

    def __init__(self, epoch):
        self.left = epoch

    def on_epoch_end(self, net, **kwargs):
        self.left -= 1

    def on_batch_end(self, net, **kwargs):
        if self.left == 0:
            raise Killed


def encoder(**params):
    defaults = {
        "max_iter": 8,
        "n_components": 3,
        "passthrough": False,
        "random_state": 0,
        "batch_size": 20,
    }
    small = {"network": MLP(hidden_layer_sizes=(8,)), "views": ("neighbors", "corruption")}
    return ContrastiveEncoder(**{**defaults, **small, **params})


def killed_after(epoch, model, y=None):
    with pytest.raises(Killed):
        clone(model).set_params(callbacks=[Killer(epoch)]).fit(X, y)


def assert_same(one, other):
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_curve_ == other.validation_curve_
    for name in ("weights_", "objective_weights_"):
        first, second = getattr(one, name), getattr(other, name)
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[k], second[k]) for k in first)
    assert np.array_equal(one.transform(X), other.transform(X))


CASES = {
    "plain": {},
    "early_stopping": {
        "early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 4, "tol": 0.05,
    },
    "individual": {"objective": InfoNCE(temperature="individual")},
    "learned": {"objective": InfoNCE(temperature="learned"), "precision": "float64"},
    "supervised": {"objective": "supcon", "sampler": "class_balanced"},
    "momentum": {"optimizer": SGD(max_grad_norm=0.5)},
    "dropout": {"network": MLP((8,), dropout=0.2, normalization="batch"), "projector": "mlp"},
    "queue": {
        "objective": InfoNCE(form="two_way", queue_size=21), "momentum": 0.9, "projector": "mlp",
        "early_stopping": True, "tol": 0.05, "network": MLP((8,), dropout=0.2),
    },
    "memory": {"objective": InstanceDiscrimination(8)},
    "teacher": {"objective": InfoNCE() + SelfDistillation(n_outputs=8), "momentum": 0.9},
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize(("every", "epoch"), [(1, 3), (2, 3), (5, 3)])
def test_resumed_equals_unbroken(case, every, epoch, tmp_path):
    unbroken = encoder(**CASES[case]).fit(X, Y)
    model = encoder(**CASES[case], checkpoint=Checkpoint(tmp_path, every=every))
    killed_after(epoch, model, Y)
    assert len(list(tmp_path.glob("*.pt"))) == (epoch >= every)
    seen = Killer(-1)
    resumed = clone(model).set_params(callbacks=[seen]).fit(X, Y)
    assert_same(resumed, unbroken)
    assert -1 - seen.left == unbroken.n_iter_ - epoch // every * every
    assert len(list(tmp_path.iterdir())) == 1
    # A fit that ended has nothing left to do.
    again = clone(model).set_params(callbacks=[Killer(0)]).fit(X, Y)
    assert_same(again, unbroken)


def test_killed_over_and_over(tmp_path):
    model = encoder(checkpoint=Checkpoint(str(tmp_path), every=1))
    for _ in range(3):
        killed_after(2, model)
    assert_same(model.fit(X), encoder().fit(X))


@pytest.mark.parametrize("random_state", [None, "RandomState"])
def test_an_open_seed_is_kept(random_state, tmp_path):
    def seed():
        return None if random_state is None else np.random.RandomState(3)

    model = encoder(checkpoint=Checkpoint(tmp_path, every=1))
    killed_after(4, model.set_params(random_state=seed()))
    (path,) = tmp_path.glob("*.pt")
    kept = torch.load(path, weights_only=True)["seed"]
    resumed = model.set_params(random_state=seed()).fit(X)
    unbroken = encoder().fit(X)
    assert resumed.n_iter_ == 8
    # The same fit, had that seed been drawn from the start.

    class Drawn(np.random.RandomState):
        def randint(self, *args):
            return kept

    assert_same(resumed, encoder(random_state=Drawn()).fit(X))
    assert resumed.loss_curve_ != unbroken.loss_curve_


def test_sigkill(tmp_path):
    code = """
        import numpy as np, sys
        sys.path.insert(0, {tests!r})
        from test_checkpoint import X, encoder
        from skcontrast.checkpoint import Checkpoint
        encoder(checkpoint=Checkpoint({folder!r}, every=1), max_iter=100_000).fit(X)
    """
    tests, folder = os.path.dirname(__file__), str(tmp_path)
    code = textwrap.dedent(code).format(tests=tests, folder=folder)
    process = subprocess.Popen([sys.executable, "-c", code])
    for _ in range(600):
        if list(tmp_path.glob("*.pt")) or process.poll() is not None:
            break
        time.sleep(0.1)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()

    def read(folder):
        (path,) = folder.glob("*.pt")
        state = torch.load(path, weights_only=True)["state"]
        moments = [m for entry in state["optimizer"]["state"].values() for m in entry.values()]
        tensors = [*state["network"].values(), *moments]
        return [t.numpy().copy() for t in tensors], state["epochs"]["loss_curve"]

    n_done = len(read(tmp_path)[1])
    for n_more, folder in ((2, tmp_path), (n_done + 2, tmp_path / "unbroken")):
        killed_after(n_more, encoder(checkpoint=Checkpoint(folder, every=1), max_iter=100_000))
    resumed, unbroken = read(tmp_path), read(tmp_path / "unbroken")
    assert len(resumed[1]) == n_done + 2
    assert resumed[1] == unbroken[1]
    assert all(np.array_equal(a, b) for a, b in zip(resumed[0], unbroken[0], strict=True))


def test_another_fit_has_another_file(tmp_path):
    net = nn.Linear(5, 3)
    fits = [
        (encoder(), X),
        (encoder(), X[:-1]),
        (encoder(), X.astype(np.float32)),
        (encoder(random_state=1), X),
        (encoder(max_iter=9), X),
        (encoder(objective=InfoNCE(temperature=0.3)), X),
        (encoder(views="corruption"), X),
        (encoder(views=["corruption", lambda x: x + 1]), X),
        (encoder(views=["corruption", lambda x: x + 2]), X),
        (encoder(network=net, n_components=3), X),
        (encoder(network=nn.Linear(5, 3), n_components=3), X),
        (encoder(random_state=np.random.RandomState(0)), X),
        (encoder(random_state=np.random.RandomState(1)), X),
    ]
    names = [fingerprint(model, rows, {}) for model, rows in fits]
    assert len(set(names)) == len(fits)
    assert fingerprint(encoder(), X, {"target": Y}) != names[0]
    assert fingerprint(encoder(), X, {}, start=({"w": X}, {})) != names[0]
    # What does not change the result does not change the name.
    same = encoder(verbose=1, checkpoint=tmp_path, device="cpu", warm_start=True)
    assert fingerprint(same, X.copy(), {}) == names[0]
    assert fingerprint(clone(fits[7][0]), X, {}) == names[7]
    assert fingerprint(clone(fits[9][0]), X, {}) == names[9]


def plus_one(x):
    return x + 1


def test_the_name_is_the_same_in_every_process():
    lines = (
        "import sys",
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})",
        "import test_checkpoint as t",
        "model = t.encoder(views=['corruption', t.plus_one], objective='supcon')",
        "print(t.fingerprint(model, t.X, {'target': t.Y}))",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    other = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    model = encoder(views=["corruption", plus_one], objective="supcon")
    assert other.stdout.strip() == fingerprint(model, X, {"target": Y})


def test_memory_maps_are_named_by_a_sample(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert fingerprint(encoder(), mapped, {}) == fingerprint(encoder(), mapped, {})
    assert fingerprint(encoder(), mapped[:50], {}) != fingerprint(encoder(), mapped, {})


def test_warm_start_does_not_take_the_first_fit_for_the_second(tmp_path):
    model = encoder(warm_start=True, checkpoint=tmp_path).fit(X).fit(X)
    expected = encoder(warm_start=True).fit(X).fit(X)
    assert_same(model, expected)
    assert len(list(tmp_path.glob("*.pt"))) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"\x00" + content[1:],
        lambda content: b"hello, this is no checkpoint",
        lambda content: joblib.hash(content).encode(),
    ],
)
def test_broken_file(spoil, tmp_path):
    model = encoder(checkpoint=tmp_path, max_iter=2).fit(X)
    (path,) = tmp_path.glob("*.pt")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError) as caught:
        model.fit(X)
    assert str(caught.value) == (
        f"The checkpoint {str(path)!r} cannot be read: delete the file to start anew."
    )
    path.unlink()
    model.fit(X)


def write(path, content):
    """A file with content of a stranger's, and the checksum that it should have."""
    body = io.BytesIO()
    torch.save(content, body)
    path.write_bytes(body.getvalue() + hashlib.sha256(body.getvalue()).digest())


STRANGE = [{}, [1], {"seed": 1}, {"seed": 1, "fit": "x", "state": {}}, {"fit": "x", "seed": 1}, 3]


@pytest.mark.parametrize("content", STRANGE)
def test_foreign_file(content, tmp_path):
    model = encoder(checkpoint=tmp_path, max_iter=2).fit(X)
    (path,) = tmp_path.glob("*.pt")
    for write_it in (torch.save, lambda content, path: write(path, content)):
        write_it(content, path)
        with pytest.raises(ValueError, match="cannot be read: delete the file to start anew"):
            model.fit(X)


def test_a_file_runs_no_code(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    model = encoder(checkpoint=tmp_path, max_iter=2).fit(X)
    (path,) = tmp_path.glob("*.pt")
    write(path, {"fit": path.stem, "seed": 0, "state": Bomb()})
    with pytest.raises(ValueError, match="cannot be read"):
        model.fit(X)
    assert not (tmp_path / "boom").exists()


def test_every_damage_is_noticed(tmp_path):
    model = encoder(checkpoint=Checkpoint(tmp_path, every=1), network="linear")
    killed_after(3, model)
    (path,) = tmp_path.glob("*.pt")
    good = path.read_bytes()
    for bad in damages(good):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="cannot be read: delete the file to start anew"):
            clone(model).fit(X)
    path.write_bytes(good)
    assert_same(clone(model).fit(X), encoder(network="linear").fit(X))


@pytest.mark.parametrize(
    "other", [{"X": X[::-1]}, {"X": X[:, :4]}, {"random_state": 1}, {"learning_rate": 0.01}]
)
def test_the_file_of_another_fit(other, tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    model = encoder(checkpoint=mine, max_iter=2).fit(X)
    rows = other.pop("X", X)
    encoder(checkpoint=theirs, max_iter=2, **other).fit(rows)
    shutil.copy(next(theirs.glob("*.pt")), next(mine.glob("*.pt")))
    with pytest.raises(ValueError) as caught:
        model.fit(X)
    text = str(caught.value)
    assert "is of a fit with other data or parameters" in text and "\n" not in text


def test_a_pipe_in_place_of_the_file(tmp_path):
    model = encoder(checkpoint=tmp_path, max_iter=2).fit(X)
    (path,) = tmp_path.glob("*.pt")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="cannot be read"):
        model.fit(X)


def test_a_full_disk(tmp_path):
    model = encoder(checkpoint=Checkpoint(tmp_path, every=1))
    with full_disk(2000), pytest.raises(OSError) as caught:
        clone(model).fit(X)
    assert str(tmp_path) in str(caught.value) and "cannot be written (File too" in str(caught.value)
    assert not list(tmp_path.iterdir())
    killed_after(3, model)
    with full_disk(2000), pytest.raises(OSError, match="make room on the disk"):
        clone(model).fit(X)
    assert [path.suffix for path in tmp_path.iterdir()] == [".pt"]  # that of the fit before
    assert_same(clone(model).fit(X), encoder().fit(X))


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def read_only(*args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", read_only)
    with pytest.raises(OSError, match=r"\.pt' cannot be written \(Read-only file system\): make"):
        encoder(checkpoint=tmp_path, max_iter=1).fit(X)
    assert not list(tmp_path.iterdir())


def test_half_files_of_the_dead_are_swept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host, me = _files._HOST, os.getpid()
    name = "0123456789abcdef"
    gone = [f"{name}.{dead.pid}.partial", f"{name}.pt.{host}-{dead.pid}-7.partial"]
    gone += [f"{name}.pt.{host}-{me}-7.partial", f"{name}.pt.{host}-1-6.partial"]
    kept = [f"{name}.pt.{host}-1-7.partial", f"{name}.pt.elsewhere-{dead.pid}-7.partial"]
    kept += [f"mine.{dead.pid}.partial", f"{name}.pt"]
    for file in gone + kept:
        (tmp_path / file).touch()
    os.utime(tmp_path / gone[-1], (0, 0))  # older than any writing takes
    encoder(checkpoint=tmp_path, max_iter=1).fit(X)
    assert {path.name for path in tmp_path.iterdir()} > set(kept)
    assert not {path.name for path in tmp_path.iterdir()} & set(gone)


def test_a_kill_while_writing_leaves_the_file_before(tmp_path, monkeypatch):
    model = encoder(checkpoint=Checkpoint(tmp_path, every=1))
    replace, n_saves = os.replace, []

    def killed(partial, path):
        n_saves.append(path)
        if len(n_saves) == 3:
            raise Killed
        replace(partial, path)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(Killed):
        clone(model).fit(X)
    monkeypatch.setattr(os, "replace", replace)
    assert len(list(tmp_path.iterdir())) == 1
    assert_same(clone(model).fit(X), encoder().fit(X))


def test_folder_that_is_a_file(tmp_path):
    path = tmp_path / "file"
    path.touch()
    for folder in (path, path / "below"):
        with pytest.raises(ValueError, match="is a file, or below one: type the path of a folder"):
            encoder(checkpoint=folder).fit(X)


def test_a_search_shares_a_folder(tmp_path):
    model = make_pipeline(encoder(checkpoint=tmp_path, max_iter=2), LogisticRegression())
    grid = {"contrastiveencoder__learning_rate": [1e-3, 1e-2]}
    first = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert len(list(tmp_path.glob("*.pt"))) == 2 * 2 + 1
    second = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert len(list(tmp_path.glob("*.pt"))) == 2 * 2 + 1
    key = "mean_test_score"
    assert np.array_equal(first.cv_results_[key], second.cv_results_[key])
    assert_same(first.best_estimator_[0], second.best_estimator_[0])


def test_partial_fit_writes_no_file(tmp_path):
    encoder(checkpoint=tmp_path).partial_fit(X)
    assert not list(tmp_path.iterdir())
