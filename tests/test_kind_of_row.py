"""A kind of row that the package does not know: one file, and nothing in the package changes."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from skcontrast import ContrastiveEncoder, SupervisedContrastiveClassifier
from skcontrast._component import Component
from skcontrast._inputs.base import Input
from skcontrast._inputs.rows import Rows, ragged_entries
from skcontrast.networks import MLP, NETWORKS_OF
from skcontrast.views import VIEWS_OF, GaussianNoise, View

# A row is a bag of points on a line, of any number: an array (n_points,).


class Bags:
    """Checked rows: all points, and where each row starts."""

    dtype = np.dtype(np.float64)

    def __init__(self, bags):
        self.bags = bags
        self.shape = len(bags), 1

    def __getitem__(self, part):
        return Bags([self.bags[i] for i in np.arange(len(self.bags))[part]])


class BagBatch:
    def __init__(self, points, row, n):
        self.points, self.row, self.n = points, row, n

    def __len__(self):
        return self.n

    @staticmethod
    def joined(batches):
        starts = np.cumsum([0, *(len(batch) for batch in batches)])
        rows = [batch.row + int(start) for batch, start in zip(batches, starts)]
        points = torch.cat([batch.points for batch in batches])
        return BagBatch(points, torch.cat(rows), int(starts[-1]))

    def padded(self, missing):
        return BagBatch(self.points, self.row, self.n + missing)


class BagRows(Rows):
    kind = "bags"

    def _store(self, X):
        lengths = torch.tensor([len(bag) for bag in X.bags])
        self._points = torch.as_tensor(np.concatenate(X.bags), dtype=self.dtype)
        self._starts, self._lengths = lengths.cumsum(0) - lengths, lengths

    def take(self, index):
        entry, _ = ragged_entries(self._starts, self._lengths, index)
        row = torch.arange(len(index)).repeat_interleave(self._lengths[index])
        return BagBatch(self._points[entry], row, len(index))


class BagInput(Input):
    kind = "bags"
    choices = {"network": "moments", "views": "thinning", "clean_anchor": True, "width": 4}
    n_features = 1

    def fit(self, X, n_least=2):
        X = self.read(X, n_least)
        self.scale_ = float(np.concatenate(X.bags).std()) or 1.0
        return X

    def read(self, X, n_least=1):
        bags = [np.asarray(bag, dtype=np.float64) for bag in X]
        if len(bags) < n_least or any(bag.ndim != 1 or not len(bag) for bag in bags):
            raise ValueError(f"{self.owner} reads {n_least} or more bags of points.")
        return Bags(bags)

    def rows(self, X, side=None, **options):
        return BagRows(Bags([bag / self.scale_ for bag in X.bags]), side=side, **options)

    def batch(self, X, dtype, device):
        return self.rows(X, dtype=dtype, device=device).take(torch.arange(X.shape[0]))


class Thinning(View):
    reads = frozenset({"bags"})
    _parameter_constraints = {"rate": [float]}

    def __init__(self, rate=0.2):
        self.rate = rate

    def build(self, rows):
        def view(x, index):
            kept = torch.rand(len(x.points)) >= self.rate
            return BagBatch(x.points[kept], x.row[kept], x.n)

        return view


class Moments(Component):
    """Sums of sines of the points, through one layer."""

    reads = frozenset({"bags"})
    _parameter_constraints = {"n_frequencies": [int]}

    def __init__(self, n_frequencies=8):
        self.n_frequencies = n_frequencies

    def build(self, n_features_in, n_components):
        return _Moments(self.n_frequencies, n_components)


class _Moments(nn.Module):
    def __init__(self, n_frequencies, n_components):
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(n_frequencies))
        self.layer = nn.Linear(n_frequencies, n_components)

    def forward(self, x):
        waves = torch.sin(x.points[:, None] * self.frequencies)
        summed = waves.new_zeros(len(x), waves.shape[1]).index_add_(0, x.row, waves)
        return self.layer(summed)


class BagEncoder(ContrastiveEncoder):
    def __init__(self, views="auto", network="auto", n_components=None, max_iter=3, random_state=0):
        super().__init__(n_components, views=views, network=network, max_iter=max_iter)
        self.random_state, self.batch_size = random_state, 16

    _parameter_constraints = {
        **ContrastiveEncoder._parameter_constraints,
        "views": [str, View],
        "network": [str, Component],
    }

    def _new_input(self):
        return BagInput(type(self).__name__)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(VIEWS_OF, "bags", {"thinning": Thinning})
    monkeypatch.setitem(NETWORKS_OF, "bags", {"moments": Moments})


def bags(n=60):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return [rng.normal(2 * c, 1, rng.integers(3, 9)) for c in y], y


X, Y = bags()


def test_it_trains_and_transforms():
    model = BagEncoder().fit(X)
    Z = model.transform(X)
    assert Z.shape == (60, 4) and np.isfinite(Z).all() and len(model.loss_curve_) == 3
    assert model.input_.kind == "bags" and list(model.output_.parts) == []
    assert np.array_equal(BagEncoder().fit_transform(iter(X)), Z)
    np.testing.assert_allclose(model.transform(X[3:5]), Z[3:5], atol=1e-6)
    assert not hasattr(model, "n_features_in_")
    model.partial_fit(X[:20])
    assert model.n_iter_ == 4 and list(model.get_feature_names_out())[0] == "bagencoder0"


def test_it_is_searched_in_a_pipeline():
    pipe = make_pipeline(BagEncoder(), LogisticRegression())
    grid = {"bagencoder__views__rate": [0.1, 0.5], "bagencoder__network__n_frequencies": [4, 16]}
    search = GridSearchCV(pipe, grid, cv=3).fit(X, Y)
    assert search.best_score_ > 0.8 and len(search.cv_results_["params"]) == 4
    assert cross_val_score(pipe, X, Y, cv=3).mean() > 0.7


def test_a_head_reads_it():
    model = SupervisedContrastiveClassifier(BagEncoder(), LogisticRegression(), finetune=True)
    model.set_params(encoder__max_iter=2, finetune_iter=2).fit(X, np.where(Y == 1, 1, 0))
    assert model.score(X, Y) > 0.8 and model.encoder_.input_.kind == "bags"


def test_groups_make_views_of_it():
    pairs = np.repeat(np.arange(30), 2)
    assert np.isfinite(BagEncoder().fit(X, groups=pairs).transform(X)).all()


def test_it_is_saved_and_goes_on(tmp_path):
    model = BagEncoder().fit(X)
    Z = model.transform(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).transform(X), Z)
    joblib.dump(model, tmp_path / "model")
    assert np.array_equal(joblib.load(tmp_path / "model").transform(X), Z)
    assert repr(clone(model)) == repr(model)
    kept = clone(model).set_params(max_iter=4)
    kept.checkpoint = str(tmp_path / "runs")
    assert np.array_equal(kept.fit(X).transform(X), kept.fit(X).transform(X))


def test_messages_speak_of_it():
    with pytest.raises(ValueError, match="BagEncoder reads 2 or more bags"):
        BagEncoder().fit([[1.0, 2.0]])
    with pytest.raises(
        ValueError, match=r"network=MLP\(\) reads numbers, but the rows are bags: type "
    ):
        BagEncoder(network=MLP()).fit(X)
    match = r"views=GaussianNoise\(\) reads numbers, but the rows are bags: type views='thinning'"
    with pytest.raises(ValueError, match=match):
        BagEncoder(views=GaussianNoise()).fit(X)
    with pytest.raises(
        ValueError, match="sampler='clustered' reads numbers, but the rows are bags"
    ):
        model = BagEncoder()
        model.sampler = "clustered"
        model.fit(X)
    with pytest.raises(ValueError, match="passthrough=True needs rows with columns"):
        model = BagEncoder()
        model.passthrough = True
        model.fit(X)
