"""The tangent kernel against gradients by brute force, and attributions with it."""

import pickle

import numpy as np
import pytest
import torch
from instances import blobs
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn
from torch.func import functional_call, jacrev

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ProKeRClassifier,
    ProKeRRegressor,
    ZeroShotClassifier,
)
from skcontrast._training.fitted import encoder_of
from skcontrast.inspection import TangentSurrogate, attribute
from skcontrast.kernels import RBF, TangentKernel
from skcontrast.kernels._gradients import Exact, Layered
from skcontrast.networks import MLP

X, Y = blobs(24)
TEST = blobs(7, seed=1)[0]
EXACT = {"dtype": "float64", "normalize": False}


class Tied(nn.Module):
    """One layer used twice, and read once more without being called."""

    def __init__(self, times, reads):
        super().__init__()
        self.layer, self.times, self.reads = nn.Linear(5, 5), times, reads

    def forward(self, x):
        for _ in range(self.times):
            x = torch.tanh(self.layer(x))
        return x @ self.layer.weight if self.reads else x


class Scalar(nn.Module):
    """A parameter without dimensions, and an output without columns."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return (self.scale * x).square().sum(1)


def frozen_first():
    module = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2))
    module[0].weight.requires_grad_(False)
    return module


def deep(norm):
    return nn.Sequential(nn.Linear(5, 6), norm, nn.ReLU(inplace=True), nn.Linear(6, 3))


# Network, and whether the short way for affine layers can be taken.
NETWORKS = {
    "linear": (lambda: nn.Linear(5, 3), True),
    "no bias": (lambda: nn.Linear(5, 3, bias=False), True),
    "in place": (lambda: deep(nn.Identity()), True),
    "frozen weight": (frozen_first, True),
    "our mlp": (lambda: MLP((6, 6), skip=True).build(5, 3), True),
    "dropout": (lambda: deep(nn.Dropout(0.5)), True),
    "layer norm": (lambda: deep(nn.LayerNorm(6)), False),
    "batch norm": (lambda: deep(nn.BatchNorm1d(6)).eval(), False),
    "used once": (lambda: Tied(1, False), True),
    "used twice": (lambda: Tied(2, False), False),
    "read too": (lambda: Tied(1, True), False),
    "scalar": (Scalar, False),
    "convolution": (
        lambda: nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 2, 3), nn.Flatten()),
        False,
    ),
}
on_every_network = pytest.mark.parametrize("name", NETWORKS)


def network(name):
    torch.manual_seed(0)
    return NETWORKS[name][0]()


def jacobian(module, rows):
    """All gradients at once: (n, C, P), in float64."""
    module = pickle.loads(pickle.dumps(module)).double().eval()
    named = module.named_parameters()
    parameters = {k: p.detach() for k, p in named if p.requires_grad}

    def output(parameters):
        return functional_call(module, parameters, (rows,)).reshape(len(rows), -1)

    found = jacrev(output)(parameters).values()
    C = output(parameters).shape[1]
    return torch.cat([g.reshape(len(rows), C, -1) for g in found], 2).numpy()


@on_every_network
def test_equals_brute_force(name):
    module = network(name)
    a, b = (jacobian(module, torch.tensor(rows)) for rows in (X, TEST))
    trace = np.einsum("icp,jcp->ij", a, b)
    summed = a.sum(1) @ b.sum(1).T
    size = np.linalg.norm(trace)
    np.testing.assert_allclose(TangentKernel(module, **EXACT)(X, TEST), trace, atol=1e-12 * size)
    other = TangentKernel(module, form="sum", **EXACT)
    np.testing.assert_allclose(other(X, TEST), summed, atol=1e-12 * size)
    square, diagonal = np.einsum("icp,jcp->ij", a, a), np.square(b).sum((1, 2))
    np.testing.assert_allclose(TangentKernel(module, **EXACT)(X), square, atol=1e-12 * size)
    np.testing.assert_allclose(TangentKernel(module, **EXACT).diag(TEST), diagonal, rtol=1e-10)
    cosine = trace / np.sqrt(square.diagonal()[:, None] * diagonal)
    np.testing.assert_allclose(TangentKernel(module)(X, TEST), cosine, atol=2e-5)


@on_every_network
def test_the_short_way_is_taken_where_it_can(name):
    built = TangentKernel(network(name)).build(X)
    kind = Layered if NETWORKS[name][1] else Exact
    assert type(built.pairs.__self__.sums) is kind


@pytest.mark.parametrize("name", ["in place", "layer norm"])
@pytest.mark.parametrize("options", [{}, {"form": "sum"}, {"n_projections": 50}])
def test_block_sizes_agree(name, options, monkeypatch):
    kernel = TangentKernel(network(name), **EXACT, **options)
    few, other = X[:8], TEST[:3]
    K, cross = kernel(few), kernel(few, other)
    np.testing.assert_allclose(K, K.T, rtol=1e-12)
    for block_size in (3, 100):
        kernel.set_params(block_size=block_size)
        np.testing.assert_allclose(kernel(few), K, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(kernel(few, other), cross, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(kernel.diag(few), np.diag(K), rtol=1e-9)
    # So little memory that every tensor of parameters is a block of its own.
    monkeypatch.setattr("skcontrast.kernels._gradients.BUDGET", 64)
    monkeypatch.setattr("skcontrast.kernels._gradients.MOST_ROWS", 3)
    np.testing.assert_allclose(kernel.set_params(block_size=None)(few), K, rtol=1e-9, atol=1e-12)


@on_every_network
@pytest.mark.parametrize("options", [{}, {"form": "sum"}, {"n_projections": 20}])
def test_semi_definite_with_a_unit_diagonal(name, options):
    kernel = TangentKernel(network(name), dtype="float64", **options)
    K = kernel(X)
    np.testing.assert_allclose(np.diag(K), 1, rtol=1e-12)
    np.testing.assert_array_equal(kernel.diag(X), 1)
    assert np.linalg.eigvalsh(K)[0] > -1e-12 * len(K)
    assert np.abs(K).max() <= 1 + 1e-12


@pytest.mark.parametrize("kind", ["rademacher", "normal"])
def test_projections_concentrate(kind):
    module, errors = network("layer norm"), []
    exact = TangentKernel(module, **EXACT)(X)
    for n_projections in (30, 3000):
        options = {"n_projections": n_projections, "projection": kind, **EXACT}
        found = [TangentKernel(module, random_state=s, **options)(X) for s in range(3)]
        assert np.abs(found[0] - found[1]).max() > 0
        errors.append(np.linalg.norm(found - exact) / 3**0.5 / np.linalg.norm(exact))
    # The error falls with the root of the number: here by ten.
    assert errors[0] < 0.5
    assert errors[1] < 0.05
    assert 5 < errors[0] / errors[1] < 20


def test_projections_are_the_same_every_time_and_in_both_precisions():
    kernel = TangentKernel(network("linear"), n_projections=9)
    np.testing.assert_array_equal(kernel(X), clone(kernel)(X))
    np.testing.assert_allclose(kernel(X), kernel.set_params(dtype="float64")(X), atol=1e-5)


def test_of_a_linear_network_is_the_linear_kernel():
    K = TangentKernel(nn.Linear(5, 4), **EXACT)(X, TEST)
    np.testing.assert_allclose(K, 4 * (X @ TEST.T + 1), rtol=1e-12)
    K = TangentKernel(nn.Linear(5, 4), form="sum", **EXACT)(X, TEST)
    np.testing.assert_allclose(K, 4 * (X @ TEST.T + 1), rtol=1e-12)


def test_predicts_a_small_step_of_training():
    module, rate = network("in place").double(), 1e-6
    x, other = torch.tensor(TEST), torch.tensor(X[:1])
    before = module(x)
    module(other)[0, 1].backward()
    stepped = pickle.loads(pickle.dumps(module))
    with torch.no_grad():
        for p, q in zip(stepped.parameters(), module.parameters()):
            p += rate * q.grad
    change = (stepped(x) - before).detach().numpy()[:, 1] / rate
    one = nn.Sequential(module, _Pick(1))
    np.testing.assert_allclose(TangentKernel(one, **EXACT)(TEST, X[:1])[:, 0], change, rtol=1e-3)


class _Pick(nn.Module):
    def __init__(self, column):
        super().__init__()
        self.column = column

    def forward(self, x):
        return x[:, self.column : self.column + 1]


@pytest.mark.parametrize("norm", [nn.Identity(), nn.LayerNorm(6)])
def test_rows_without_a_gradient_are_like_none(norm):
    module = nn.Sequential(nn.Linear(2, 6, bias=False), norm, nn.ReLU(), nn.Linear(6, 2, False))
    with torch.no_grad():
        module[0].weight.fill_(-1)
        if isinstance(norm, nn.LayerNorm):
            norm.bias.fill_(-1)
    rows = np.array([[1.0, 2.0], [-1.0, -3.0], [0.5, 0.1]])  # dead for the first and the last
    K = TangentKernel(module)(rows)
    assert np.isfinite(K).all()
    dead = [0, 1, 2] if isinstance(norm, nn.LayerNorm) else [0, 2]
    assert (K[dead] == 0).all() and (K[:, dead] == 0).all()
    # A row's cosine with itself is 1, and not as it happens to be rounded.
    np.testing.assert_array_equal(TangentKernel(module).diag(rows), np.diag(K))


# ------------------------------------------------------------------ of an estimator


@pytest.fixture(scope="module")
def encoder():
    return ContrastiveEncoder(n_components=4, passthrough=False, max_iter=2, random_state=0).fit(
        X * 50 + 7
    )


def test_of_an_encoder_is_that_of_its_network_on_standardised_rows(encoder):
    rows = X * 50 + 7
    standard = (rows - encoder.input_.mean_) / encoder.input_.scale_
    expected = TangentKernel(encoder_of(encoder), **EXACT)(standard)
    np.testing.assert_allclose(TangentKernel(encoder, **EXACT)(rows), expected, rtol=1e-10)
    frozen = TangentKernel(FrozenEstimator(encoder), **EXACT)
    np.testing.assert_array_equal(frozen(rows), TangentKernel(encoder, **EXACT)(rows))
    embedding = encoder.transform(rows)
    TangentKernel(encoder)(rows)
    np.testing.assert_array_equal(encoder.transform(rows), embedding)


def test_of_a_pipeline_goes_through_all_its_steps():
    scaler = StandardScaler()
    pipe = make_pipeline(
        scaler, ContrastiveEncoder(n_components=4, passthrough=False, max_iter=2, random_state=0)
    )
    pipe.fit(X)
    inner = TangentKernel(pipe[-1], **EXACT)
    np.testing.assert_allclose(TangentKernel(pipe, **EXACT)(X), inner(scaler.transform(X)))
    model = make_pipeline(*(step for _, step in pipe.steps), LogisticRegression()).fit(X, Y)
    rows = (scaler.transform(X) - model[1].input_.mean_) / model[1].input_.scale_
    head = nn.Linear(4, 3, dtype=torch.float64)
    head.weight.data, head.bias.data = map(torch.tensor, (model[-1].coef_, model[-1].intercept_))
    expected = TangentKernel(nn.Sequential(encoder_of(model[1]), head), **EXACT)(rows)
    np.testing.assert_allclose(TangentKernel(model, **EXACT)(X), expected, rtol=1e-10)
    binary = make_pipeline(*(step for _, step in pipe.steps), LogisticRegression())
    assert np.isfinite(TangentKernel(binary.fit(X, Y > 0))(X)).all()


def test_clones_keep_the_fit_and_do_not_follow_the_model(encoder):
    model = ContrastiveEncoder(n_components=4, passthrough=False, max_iter=1, random_state=0).fit(X)
    module = network("in place")
    for source in (model, module):
        kernel = TangentKernel(source)
        copies = [clone(kernel), clone(0.5 * kernel + RBF()).first.kernel]
        copies.append(pickle.loads(pickle.dumps(kernel)))
        K = kernel(X)
        if source is model:
            model.set_params(max_iter=3).fit(TEST)
        else:
            module[0].weight.data.mul_(2)
        assert np.abs(kernel(X) - K).max() > 1e-3
        for copy in copies:
            np.testing.assert_array_equal(copy(X), K)
    assert set(kernel.get_params()) == set(TangentKernel._parameter_constraints)
    assert module.training and all(p.dtype == torch.float32 for p in module.parameters())


def test_usable_wherever_a_kernel_is(encoder, tmp_path):
    rows = X * 50 + 7
    kernel = TangentKernel(encoder)
    for used in (kernel, 0.5 * kernel + RBF(), kernel * RBF()):
        model = ProKeRClassifier(method="proker", kernel=used).fit(rows, Y)
        assert model.score(rows, Y) > 0.9
        assert np.isfinite(clone(model).fit(rows, Y).decision_function(TEST)).all()
    assert ProKeRClassifier(kernel=kernel).fit(rows, Y).score(rows, Y) > 0.9
    regressor = ProKeRRegressor(kernel=kernel).fit(rows, X[:, 0])
    assert regressor.score(rows, X[:, 0]) > 0.5
    assert clone(SVC(kernel=kernel)).fit(rows, Y).score(rows, Y) > 0.9
    skcontrast.save(model, tmp_path)
    np.testing.assert_array_equal(
        skcontrast.load(tmp_path).decision_function(TEST), model.decision_function(TEST)
    )
    with torch.inference_mode():
        np.testing.assert_array_equal(model.decision_function(TEST), model.decision_function(TEST))


def test_bad_models():
    training = deep(nn.BatchNorm1d(6))
    without = deep(nn.BatchNorm1d(6, track_running_stats=False)).eval()
    fixed = nn.Linear(5, 2).requires_grad_(False)
    unfitted = make_pipeline(StandardScaler(), ContrastiveEncoder())
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    no_coef = make_pipeline(StandardScaler(), SVC()).fit(X, Y)
    for model, error, message in (
        (ContrastiveEncoder(), NotFittedError, "ContrastiveEncoder is not fitted: call its fit"),
        (unfitted, NotFittedError, "ContrastiveEncoder is not fitted"),
        (ContrastiveEncoder, TypeError, r"Did you mean ContrastiveEncoder\(\)\?"),
        (LogisticRegression(), TypeError, "LogisticRegression is no encoder of skcontrast"),
        (scaled, TypeError, "StandardScaler is no encoder"),
        (no_coef, TypeError, "the Pipeline ends in a SVC without coef_"),
        (training, ValueError, "BatchNorm1d '1' is in training mode: call eval"),
        (without, ValueError, "BatchNorm1d '1' keeps no running mean"),
        (fixed, ValueError, "has no parameter that requires a gradient"),
        (nn.ReLU(), ValueError, "has no parameter that requires a gradient"),
        (nn.Linear(4, 2), ValueError, r"Linear failed on rows of shape \(3, 5\)"),
        (nn.Sequential(nn.Linear(5, 2), nn.Flatten(0)), ValueError, r"a tensor of shape \(6,\)"),
        (3, ValueError, "The 'model' parameter of TangentKernel must be"),
    ):
        with pytest.raises(error, match=message):
            TangentKernel(model)(X)


def test_bad_rows_and_parameters(encoder):
    with pytest.raises(ValueError, match="rows have 4 columns, but the ContrastiveEncoder was"):
        TangentKernel(encoder)(X[:, :4])
    with pytest.raises(ValueError, match="not finite for some rows"):
        TangentKernel(nn.Linear(5, 2))(X * np.nan)
    with pytest.raises(ValueError, match="not finite for some rows.*float64"):
        TangentKernel(nn.Linear(5, 2))(X * 1e30)
    assert np.isfinite(TangentKernel(nn.Linear(5, 2), dtype="float64")(X * 1e30)).all()
    for name, value in (("form", "mean"), ("n_projections", 0), ("random_state", None)):
        with pytest.raises(ValueError, match=f"The {name!r} parameter of TangentKernel"):
            TangentKernel(encoder, **{name: value})(X)
    with pytest.raises(ValueError, match="compares numbers, but columns"):
        TangentKernel(encoder).build(X, np.array([True] + 4 * [False]))


class _DataDependent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LayerNorm(5)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else -self.layer(x)


def test_networks_that_torch_func_cannot_take():
    with pytest.raises(ValueError, match="torch.func cannot take the gradients of the _DataDep"):
        TangentKernel(_DataDependent())(X)


# ------------------------------------------------------------------ attribution


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"method": "proker"},
        {"method": "proker", "scaling": "ridge", "fit_intercept": True},
        {"method": "proker", "solver": "cg"},
        {"method": "tip"},
        {"method": "proker", "kernel": "tangent"},
    ],
    ids=str,
)
def test_shares_add_up_to_the_correction(n_classes, options, encoder):
    y = Y % n_classes
    options = dict(options)
    if options.get("kernel") == "tangent":
        options["kernel"] = TangentKernel(encoder)
    base = ZeroShotClassifier().fit(X, y)
    model = ProKeRClassifier(FrozenEstimator(base), **options).fit(X, y)
    shares = attribute(model, X, TEST, per_class=True)
    assert shares.shape == (7, len(X), n_classes)
    unscaled = model._scores(TEST)  # two columns for two classes, too
    f0 = model._base_of(TEST)
    constant = 0 if options["method"] == "tip" else model.intercept_
    expected = unscaled - model.base_scale_ * f0 - constant
    np.testing.assert_allclose(shares.sum(1), expected, atol=1e-8)
    if n_classes == 2:
        left = model.decision_function(TEST) - model.base_scale_ * base.decision_function(TEST)
        left = left - np.diff(constant * np.ones(2))
        np.testing.assert_allclose(shares[..., 1].sum(1) - shares[..., 0].sum(1), left, atol=1e-8)
    predicted = model.predict(TEST)
    chosen = shares[np.arange(7), :, predicted]
    np.testing.assert_array_equal(attribute(model, None, TEST), chosen)
    np.testing.assert_array_equal(attribute(model, X, TEST, labels=predicted), chosen)
    np.testing.assert_array_equal(attribute(model, X, TEST, labels=np.zeros(7)), shares[..., 0])


def test_shares_of_a_regressor():
    base = FrozenEstimator(ProKeRRegressor().fit(X, X[:, 0]))
    model = ProKeRRegressor(base, alpha=0.1).fit(X, X[:, 1])
    shares = attribute(model, X, TEST)
    expected = model.predict(TEST) - model.base_scale_ * base.predict(TEST) - model.intercept_
    np.testing.assert_allclose(shares.sum(1), expected, atol=1e-8)
    two = ProKeRRegressor().fit(X, X[:, :2])
    shares = attribute(two, X, TEST, per_class=True)
    np.testing.assert_allclose(shares.sum(1) + two.intercept_, two.predict(TEST), atol=1e-8)
    with pytest.raises(ValueError, match="the model has 2 targets: type per_class=True"):
        attribute(two, X, TEST)
    with pytest.raises(ValueError, match="a regressor has no classes"):
        attribute(model, X, TEST, labels=np.zeros(7))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_surrogate_is_the_logistic_regression_on_the_kernel_matrix(n_classes, encoder):
    y = np.array(["a", "b", "c"])[Y % n_classes]
    kernel = TangentKernel(encoder)
    surrogate = TangentSurrogate(encoder, alpha=1e-2).fit(X, y)
    for c in range(1 if n_classes == 2 else 0, n_classes):
        mine = y == surrogate.classes_[c]
        count = np.bincount(Y % n_classes)
        weight = np.where(mine, len(y) / n_classes / count[c], 1)
        if n_classes == 2:
            weight = len(y) / 2 / count[Y % 2]
        linear = LogisticRegression(C=1 / (1e-2 * len(y)), max_iter=1000)
        linear.fit(kernel(X), mine, sample_weight=weight)
        np.testing.assert_allclose(surrogate.dual_coef_[:, c], linear.coef_[0], atol=1e-6)
    scores = surrogate.decision_function(TEST)
    assert scores.shape == ((7,) if n_classes == 2 else (7, 3))
    P = surrogate.predict_proba(TEST)
    np.testing.assert_allclose(P.sum(1), 1)
    np.testing.assert_array_equal(surrogate.classes_[P.argmax(1)], surrogate.predict(TEST))
    if n_classes == 2:
        np.testing.assert_allclose(P[:, 1], 1 / (1 + np.exp(-scores)))
    shares = attribute(surrogate, X, TEST, per_class=True)
    total = shares.sum(1) + surrogate.intercept_
    np.testing.assert_allclose(total[:, 1] if n_classes == 2 else total, scores, atol=1e-8)
    for model in (encoder, kernel):
        same = attribute(model, X, TEST, y, per_class=True, alpha=1e-2)
        np.testing.assert_allclose(same, shares, atol=1e-6)


def test_attribution_finds_the_rows_alike():
    rows, y = blobs(60)
    encoder = ContrastiveEncoder(n_components=4, passthrough=False, max_iter=3, random_state=0)
    model = make_pipeline(encoder, LogisticRegression()).fit(rows, y)
    shares = attribute(model, rows, rows[:9], y)
    for share, label in zip(shares, y[:9]):
        assert y[share.argmax()] == label
        assert share[y == label].mean() > share[y != label].mean()


def test_bad_attributions(encoder):
    default = ProKeRClassifier().fit(X, Y)
    proker = ProKeRClassifier(method="proker").fit(X, Y)
    for args, options, error, message in (
        ((default, X, TEST), {}, ValueError, "method='auto'.* are no sum over rows: fit it with"),
        ((ProKeRClassifier(), X, TEST), {}, NotFittedError, "not fitted"),
        ((TangentSurrogate(encoder), X, TEST), {}, NotFittedError, "not fitted"),
        ((encoder, X, TEST), {}, ValueError, "pass attribute.model, X_train, X, y_train"),
        ((proker, X[:-1], TEST), {}, ValueError, "rows that the model keeps in X_fit_"),
        ((proker, X, TEST[:, :3]), {}, ValueError, "3 features"),
        ((proker, X, TEST), {"labels": [0]}, ValueError, "X has 7 rows: pass one for each"),
        ((proker, X, TEST), {"labels": [9] * 7}, ValueError, "labels holds .9., but the model's"),
        ((encoder, X, TEST, np.zeros(len(X))), {}, ValueError, "y has one class only"),
        ((ContrastiveEncoder(), X, TEST, Y), {}, NotFittedError, "ContrastiveEncoder is not fit"),
    ):
        with pytest.raises(error, match=message):
            attribute(*args, **options)
