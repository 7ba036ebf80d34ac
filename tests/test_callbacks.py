"""Callbacks of skorch, through ``callbacks=``, and of scikit-learn, through ``set_callbacks``."""

import numpy as np
import pytest
import torch
from instances import blobs
from rounding import one_thread
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)

from skcontrast import ContrastiveEncoder
from skcontrast._training.loop import _Net
from skcontrast.networks import MLP
from skcontrast.optimizers import SGD

try:
    import sklearn.callback as skl_callback
except ImportError:
    skl_callback = None

needs_protocol = pytest.mark.skipif(
    skl_callback is None, reason="scikit-learn has callbacks since version 1.9"
)

X, Y = blobs()


def encoder(**params):
    defaults = {
        "max_iter": 4,
        "n_components": 3,
        "passthrough": False,
        "random_state": 0,
        "views": "corruption",
    }
    small = {"network": MLP(hidden_layer_sizes=(8,)), "batch_size": 20}
    return ContrastiveEncoder(**{**defaults, **small, **params})


class Recorder(Callback):
    """Notes every hook in turn."""

    def initialize(self):
        # With skorch, what ends with an underscore is no parameter for clone.
        self.calls_, self.batches_ = [], []
        return self

    def on_train_begin(self, net, **kwargs):
        self.calls_.append("train begin")
        self.net_ = net

    def on_train_end(self, net, **kwargs):
        self.calls_.append("train end")

    def on_epoch_begin(self, net, **kwargs):
        self.calls_.append("epoch begin")

    def on_epoch_end(self, net, **kwargs):
        self.calls_.append("epoch end")

    def on_batch_end(self, net, batch=None, training=None, loss=None, **kwargs):
        self.calls_.append("batch")
        self.batches_.append((batch, training, loss))


# -------------------------------------------------------------------- skorch


def test_a_callback_hears_of_every_epoch_and_batch():
    seen = Recorder()
    model = encoder(max_iter=2, objective="supcon", callbacks=[("named", seen)]).fit(X, Y)
    epoch = ["epoch begin", "batch", "batch", "batch", "epoch end"]
    assert seen.calls_ == ["train begin", *epoch, *epoch, "train end"]
    batch, training, loss = seen.batches_[0]
    assert set(batch) == {"x", "index", "target"}
    assert batch["x"].shape == (20, 5) and training
    assert torch.equal(batch["target"], torch.as_tensor(Y)[batch["index"]])
    assert loss.ndim == 0 and not loss.requires_grad
    assert [row["train_loss"] for row in seen.net_.history] == model.loss_curve_


def test_callbacks_do_not_change_the_result():
    plain = encoder().fit(X)
    assert np.array_equal(encoder(callbacks=[Recorder()]).fit(X).transform(X), plain.transform(X))


@pytest.mark.parametrize("monitor", ["train_loss", "valid_loss"])
def test_early_stopping_of_skorch(monitor, capsys):
    stopper = EarlyStopping(monitor=monitor, patience=2, threshold=10.0, threshold_mode="abs")
    seen = Recorder()
    model = encoder(max_iter=50, early_stopping=monitor == "valid_loss", callbacks=[seen, stopper])
    model.fit(X)
    # The first epoch is the best so far; two without one better by 10 end it.
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert seen.calls_.count("epoch end") == 3 and seen.calls_[-1] == "train end"
    assert model.transform(X).shape == (60, 3)


def test_stopping_within_an_epoch_leaves_it_out():
    # As a callback of skorch would: from a function of its module.
    stopper = EarlyStopping()
    namespace = {"__name__": "skorch.callbacks.mine"}
    exec("def stop(net, **kwargs):\n    raise KeyboardInterrupt", namespace)
    stopper.on_batch_end = namespace["stop"]
    model = encoder(callbacks=[stopper]).fit(X)
    assert model.n_iter_ == 0 and model.loss_curve_ == []
    assert np.isfinite(model.transform(X)).all()


def test_steps_are_told_to_nobody_where_nobody_listens(monkeypatch):
    told, notify = set(), _Net.notify

    def noted(net, name, **kwargs):
        told.add(name)
        notify(net, name, **kwargs)

    monkeypatch.setattr(_Net, "notify", noted)
    encoder(max_iter=1, callbacks=[EarlyStopping(monitor="train_loss"), Callback()]).fit(X)
    epochs = {"on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end"}
    assert told == epochs
    encoder(max_iter=1, callbacks=[Callback(), ("clip", GradientNormClipping())]).fit(X)
    assert told == epochs | {"on_grad_computed"}


def test_gradients_are_seen_by_every_callback():
    norms = []

    class Norms(Callback):
        def on_grad_computed(self, net, named_parameters, training=None, **kwargs):
            grads = torch.cat([p.grad.flatten() for _, p in named_parameters])
            norms.append(float(grads.norm()))
            assert training

    names = ("before", Norms()), ("clip", GradientNormClipping(0.01)), ("after", Norms())
    encoder(max_iter=1, callbacks=[*names]).fit(X)
    before, after = norms[::2], norms[1::2]
    assert min(before) > 0.01
    assert after == pytest.approx([0.01] * 3, rel=1e-3)


def test_rate_schedulers_of_skorch():
    rates = []

    class Rates(Callback):
        def on_batch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    params = {"learning_rate": 1.0, "max_iter": 3, "batch_size": 60}
    scheduler = LRScheduler("StepLR", step_size=1, gamma=0.1)
    constant = SGD(schedule="constant", warmup=0)
    encoder(**params, optimizer=constant, callbacks=[Rates(), scheduler]).fit(X)
    assert rates == pytest.approx([1.0, 0.1, 0.01])
    rates.clear()
    encoder(**params, optimizer=SGD(), callbacks=[Rates(), scheduler]).fit(X)
    assert rates == pytest.approx([1.0, 1.0, 0.5])  # the estimator's own schedule prevails


def test_scores_in_the_history():
    def width(net, X, y):
        return net.module_.encoder.head.weight.shape[1]

    seen = Recorder()
    scoring = EpochScoring(width, on_train=True, name="width", use_caching=False)
    encoder(callbacks=[scoring, seen], max_iter=2).fit(X)
    assert seen.net_.history[:, "width"] == [3, 3]


def test_callbacks_are_cloned_with_the_estimator():
    recorder = Recorder()
    model = encoder(callbacks=[recorder])
    copy = clone(model).fit(X)
    assert copy.callbacks[0] is not recorder
    assert copy.callbacks[0].calls_ and not hasattr(recorder, "calls_")


# -------------------------------------------------------------- scikit-learn


class Tasks:
    """Follows scikit-learn's FitCallback protocol, and notes the tasks."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.log, self.metadata, self.outputs, self.curves = [], [], [], []

    def setup(self, estimator, context):
        self.log.append("setup")

    def teardown(self, estimator, context):
        self.log.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.log.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.log.append(("end", context.task_name, context.task_id))
        self.metadata.append(metadata)
        self.outputs.append(fitted_estimator.transform(X))
        self.curves.append(list(fitted_estimator.loss_curve_))
        return context.task_name == "epoch" and context.task_id == self.stop_at


@needs_protocol
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_task_tree(method):
    tasks = Tasks()
    model = encoder(max_iter=2).set_callbacks(tasks)
    getattr(model, method)(X, Y)
    n_epochs = 2 if method == "fit" else 1
    epochs = [(when, "epoch", i) for i in range(n_epochs) for when in ("begin", "end")]
    assert tasks.log == ["setup", ("begin", "fit", 0), *epochs, ("end", "fit", 0), "teardown"]


@needs_protocol
def test_fitted_estimator_of_an_epoch():
    tasks = Tasks()
    model = encoder(early_stopping=True).set_callbacks(tasks).fit(X)
    # None: scikit-learn hands metadata on to scorers, which know nothing of a loss.
    assert set(tasks.metadata) == {None}
    assert tasks.curves == [model.loss_curve_[: i + 1] for i in range(4)] + [model.loss_curve_]
    # Each output is that of a fit which stopped there.
    assert len({out.tobytes() for out in tasks.outputs[:4]}) == 4
    assert np.array_equal(tasks.outputs[-1], model.transform(X))
    plain = encoder(early_stopping=True).fit(X)
    assert np.array_equal(plain.transform(X), model.transform(X))


@needs_protocol
def test_partial_fit_counts_on_for_callbacks_too():
    tasks = Tasks()
    model = encoder().set_callbacks(tasks).partial_fit(X).partial_fit(X)
    assert [len(curve) for curve in tasks.curves] == [1, 1, 2, 2]
    assert model.n_iter_ == 2


@needs_protocol
def test_a_hook_stops_the_training():
    model = encoder(max_iter=30).set_callbacks(Tasks(stop_at=2)).fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 3


@needs_protocol
def test_teardown_on_error():
    class Boom(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("boom")

    tasks = Tasks()
    model = encoder(callbacks=[Boom()]).set_callbacks(tasks)
    with pytest.raises(RuntimeError, match="boom"):
        model.fit(X)
    assert tasks.log[-1] == "teardown" and tasks.log.count("teardown") == 1
    assert not any("ctx" in name or "teardown" in name for name in vars(model))


@needs_protocol
def test_callbacks_go_through_clone_and_search():
    model = encoder(max_iter=2).set_callbacks(Tasks())
    clone(model).fit(X)
    pipeline = make_pipeline(model, LogisticRegression())
    grid = {"contrastiveencoder__learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    tasks = search.best_estimator_[0]._skl_callbacks[0]
    assert ("end", "epoch", 1) in tasks.log
    assert tasks is model._skl_callbacks[0]  # scikit-learn's clones share callbacks


@needs_protocol
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar_nests(n_jobs, capsys):
    pytest.importorskip("rich")
    pipeline = make_pipeline(encoder(max_iter=2), LogisticRegression())
    grid = {"contrastiveencoder__learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs)
    search.set_callbacks(skl_callback.ProgressBar(max_propagation_depth=None))
    with one_thread():
        search.fit(X, Y)
        plain = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    key = "mean_test_score"
    assert np.array_equal(search.cv_results_[key], plain.cv_results_[key])
    shown = capsys.readouterr().out
    # The columns are cut to the width of the terminal.
    assert shown.count("GridSearchCV") > 1 and "Pipeline" in shown and "Contrast" in shown


@needs_protocol
def test_progress_bar_alone_is_full_after_early_stopping(capsys):
    pytest.importorskip("rich")
    encoder(max_iter=50).set_callbacks(skl_callback.ProgressBar(), Tasks(stop_at=1)).fit(X)
    assert "ContrastiveEncoder - fit" in capsys.readouterr().out


@needs_protocol
def test_scoring_monitor():
    def spread(estimator, X, y):
        return float(estimator.transform(X).std())

    monitor = skl_callback.ScoringMonitor(scoring={"spread": spread})
    model = encoder().set_callbacks(monitor).fit(X, Y)
    rows = monitor.get_logs()
    scores = [row for row in rows.data if row["task_name"] == "epoch"]
    assert len(scores) == 4
    assert len({row["spread"] for row in scores}) == 4
    assert scores[-1]["spread"] == pytest.approx(float(model.transform(X).std()))
