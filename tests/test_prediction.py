"""Terms with a linear head: formulas as loops, and the head in a training."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
import torch
from instances import blobs
from sklearn.base import clone
from sklearn.preprocessing import normalize

from skcontrast import ContrastiveEncoder, ZeroShotClassifier
from skcontrast.networks import MLP
from skcontrast.objectives import (
    CrossEntropy,
    InfoNCE,
    MultiLabelCrossEntropy,
    PredictionError,
    SpectralContrastive,
    SupCon,
)

NAN = float("nan")
Y = torch.tensor([[0.3, -1.0], [NAN, 0.5], [1.2, 0.1], [-0.4, 2.5], [0.0, NAN]]).double()
CODES = torch.tensor([0, 2, -1, 2, 1])
FEW_CODES = torch.tensor([-1, 2, -1, 0, -1])


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def same(first, second):
    second = torch.as_tensor(second, dtype=torch.float64)
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-13)


def prepared(objective, target, n_components, classes=None):
    """The module of an objective, with random weights in its head."""
    built = objective.build(len(target))
    built.prepare({"target": target}, {"target": None, "classes": classes}, n_components)
    built = built.double()
    torch.manual_seed(0)
    for parameter in built.head.parameters():
        torch.nn.init.normal_(parameter)
    return built


def mean_of(losses):
    """Losses scaled so that their mean is that of those that count; None does not."""
    count = max(1, sum(loss is not None for loss in losses))
    return [0.0 if loss is None else loss * len(losses) / count for loss in losses]


# ------------------------------------------------------------------ formulas


def error_by_loops(p, y, error, delta):
    losses = []
    for view in p.tolist():
        for predicted, numbers in zip(view, y.tolist()):
            if any(np.isnan(numbers)):
                losses.append(None)
                continue
            total = 0
            for a, b in zip(predicted, numbers):
                r = abs(a - b)
                if error == "squared":
                    total += r * r
                elif error == "absolute":
                    total += r
                else:
                    total += r * r / 2 if r <= delta else delta * (r - delta / 2)
            losses.append(total / len(numbers))
    return mean_of(losses)


@pytest.mark.parametrize("error", ["squared", "absolute", "huber"])
@pytest.mark.parametrize("n_views", [1, 3])
def test_prediction_error_is_its_formula(error, n_views):
    objective, h = PredictionError(error, delta=0.7), draw(n_views, 5, 4)
    built = prepared(objective, Y, 4)
    W, b = (parameter.detach() for parameter in built.head.parameters())
    p = h @ W.T + b
    expected = error_by_loops(p, Y, error, 0.7)
    # The head reads the embedding, whatever the projection is.
    same(built(views=draw(n_views, 5, 6, seed=1), embedding=h, target=Y), expected)
    same(built(views=h, target=Y), expected)
    # Without a head: the prediction itself, or the first columns.
    same(objective(h, target=Y, prediction=p), expected)
    same(objective(p, target=Y), expected)
    same(objective(torch.cat([p, h], -1), target=Y), expected)
    same(objective(h, target=Y, prediction=p[0]), error_by_loops(p[:1].expand_as(p), Y, error, 0.7))


def test_one_column_may_come_without_its_axis():
    p = draw(2, 5, 1)
    same(PredictionError()(p, target=Y[:, 0]), PredictionError()(p, target=Y[:, :1]))
    flat = PredictionError()(p, target=Y[:, 0], prediction=p[0, :, 0])
    same(flat, PredictionError()(p[:1].expand_as(p), target=Y[:, :1]))


def cross_entropy_by_loops(logits, codes, shares, adjustment, smoothing):
    losses = []
    for view in logits.tolist():
        for row, code in zip(view, codes.tolist()):
            if code == -1:
                losses.append(None)
                continue
            f = [x + adjustment * np.log(share) for x, share in zip(row, shares)]
            total = sum(np.exp(x) for x in f)
            logs = [x - np.log(total) for x in f]
            losses.append(-(1 - smoothing) * logs[code] - smoothing * np.mean(logs))
    return mean_of(losses)


def informed_by_loops(logits, codes, weight):
    """Cross-entropy of labelled rows, less the mutual information of the others."""
    losses = np.array(cross_entropy_by_loops(logits, codes, [1, 1, 1], 0.0, 0.0))
    shares = {}
    for place, row in enumerate(logits.flatten(0, 1).tolist()):
        if codes.tolist()[place % len(codes)] == -1:
            total = sum(np.exp(x) for x in row)
            shares[place] = [np.exp(x) / total for x in row]
    mean = [sum(p[c] for p in shares.values()) / len(shares) for c in range(3)]
    for place, p in shares.items():
        gain = sum(-q * np.log(q) for q in mean) - sum(-q * np.log(q) for q in p)
        losses[place] -= weight * gain * len(losses) / len(shares)
    return losses


@pytest.mark.parametrize("n_views", [1, 2])
def test_information_is_its_formula(n_views):
    logits = draw(n_views, 5, 3)
    codes = FEW_CODES
    losses = CrossEntropy(information=0.7)(logits, target=codes)
    same(losses, torch.tensor(informed_by_loops(logits, codes, 0.7)))
    found = losses.mean()
    p = logits[:, codes == -1].flatten(0, 1).softmax(1).numpy()
    expected = scipy.stats.entropy(p.mean(0)) - scipy.stats.entropy(p, axis=1).mean()
    plain = CrossEntropy()(logits, target=codes)
    assert found.item() == pytest.approx(plain.mean().item() - 0.7 * expected, rel=1e-12)
    same(CrossEntropy(information=0.0)(logits, target=codes), plain)
    # Adjusted by the frequencies of the classes, the prediction is that without them.
    both = CrossEntropy(adjustment=1.0, information=0.7)(logits, target=codes).mean()
    adjusted = CrossEntropy(adjustment=1.0)(logits, target=codes).mean()
    assert both.item() == pytest.approx(adjusted.item() - 0.7 * expected, rel=1e-12)


def test_sure_and_balanced_rows_are_as_informed_as_can_be():
    logits = (1e3 * torch.eye(3, dtype=torch.float64))[None].requires_grad_()
    loss = CrossEntropy(information=1.0)(logits, target=torch.full((3,), -1))
    loss.mean().backward()
    assert loss.mean().item() == pytest.approx(-np.log(3)) and (logits.grad == 0).all()
    labelled = torch.arange(3)
    same(
        CrossEntropy(information=1.0)(logits, target=labelled),
        CrossEntropy()(logits, target=labelled),
    )


@pytest.mark.parametrize("adjustment, smoothing", [(0.0, 0.0), (1.0, 0.0), (0.5, 0.2)])
@pytest.mark.parametrize("n_views", [1, 2])
def test_cross_entropy_is_its_formula(adjustment, smoothing, n_views):
    objective, h = CrossEntropy(adjustment, smoothing), draw(n_views, 5, 4)
    built = prepared(objective, CODES, 4)
    W, b = (parameter.detach() for parameter in built.head.parameters())
    logits = h @ W.T + b
    assert logits.shape == (n_views, 5, 3)
    built.class_prior = torch.tensor([1, 1, 2]).double() / 4  # float32 in a training
    expected = cross_entropy_by_loops(logits, CODES, [0.25, 0.25, 0.5], adjustment, smoothing)
    same(built(views=draw(n_views, 5, 6, seed=1), embedding=h, target=CODES), expected)
    same(objective(logits, target=CODES), expected)  # frequencies of the batch
    same(objective(h, target=CODES, prediction=logits), expected)
    prior = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64)
    given = objective(logits, target=CODES, class_prior=prior)
    same(given, cross_entropy_by_loops(logits, CODES, prior.tolist(), adjustment, smoothing))


CLASSES = [[1.0, 0.5], [-0.3, 2.0], [0.1, -1.0]]


def of_class_vectors(h, A, tau):
    """Rows (V, n, d) and a map (d, q) -> logits (V, n, C), entry by entry."""
    h, A = h.detach().numpy(), np.asarray(A)
    out = np.empty((*h.shape[:2], len(CLASSES)))
    for place in np.ndindex(out.shape):
        row, vector = h[place[:2]], A @ CLASSES[place[2]]
        out[place] = row @ vector / np.linalg.norm(row) / np.linalg.norm(vector) / tau
    return torch.tensor(out)


@pytest.mark.parametrize("adjustment, smoothing", [(0.0, 0.0), (0.5, 0.2)])
@pytest.mark.parametrize("n_views", [1, 2])
def test_class_vectors_are_their_formula(adjustment, smoothing, n_views):
    objective, h = CrossEntropy(adjustment, smoothing, CLASSES, 0.3), draw(n_views, 5, 4)
    built = prepared(objective, CODES, 4)
    assert list(built.state_dict()) == ["head.weight"]
    built.class_prior = torch.tensor([1, 1, 2]).double() / 4
    shares = [0.25, 0.25, 0.5]
    for loss, A in (
        (built(views=draw(n_views, 5, 6, seed=1), embedding=h, target=CODES), built.head.weight),
        (objective(h, target=CODES), np.eye(4, 2)),
    ):
        logits = of_class_vectors(h, torch.as_tensor(A).detach(), 0.3)
        expected = cross_entropy_by_loops(logits, CODES, shares, adjustment, smoothing)
        torch.testing.assert_close(loss.detach(), torch.tensor(expected).double())
    # A prediction is given as logits, whatever the vectors.
    logits = h[..., :3]
    given = objective(h, target=CODES, prediction=logits)
    same(given, CrossEntropy(adjustment, smoothing)(logits, target=CODES))
    h.requires_grad_()
    assert torch.autograd.gradcheck(lambda h: built(views=h, target=CODES), h)


def test_frequencies_are_those_of_the_labelled_training_rows():
    target = torch.tensor([0, 0, 0, 1, -1, -1, 3])
    built = prepared(CrossEntropy(adjustment=1.0), target, 4)
    assert built.head.weight.shape == (4, 4)
    # Nothing is known of a class without a row: it counts as one.
    torch.testing.assert_close(built.class_prior, torch.tensor([3, 1, 1, 1]).double() / 6)
    wider = prepared(CrossEntropy(), target, 4, classes=np.arange(6))
    assert wider.head.weight.shape == (6, 4)
    assert list(wider.state_dict()) == ["head.weight", "head.bias"]


@pytest.mark.parametrize("objective", [PredictionError(), CrossEntropy(adjustment=1.0)])
def test_without_a_label_the_loss_is_zero(objective):
    h = draw(2, 5, 4).requires_grad_()
    regression = objective.target_type == "real"
    target = torch.full((5, 2), NAN) if regression else torch.full((5,), -1)
    loss = objective(h, target=target)
    assert loss.shape == (10,) and not loss.any()
    loss.mean().backward()
    assert not h.grad.any()


def test_unlabelled_rows_have_no_gradient():
    for objective, target, labelled in (
        (PredictionError("huber"), Y, ~Y.isnan().any(1)),
        (CrossEntropy(label_smoothing=0.1), CODES, CODES >= 0),
    ):
        h = draw(2, 5, 4).requires_grad_()
        objective(h, target=target).mean().backward()
        assert h.grad.isfinite().all()
        assert torch.equal(h.grad.abs().sum(-1) > 0, labelled.expand(2, 5))


def test_data_of_the_wrong_shape_is_refused():
    h = draw(1, 5, 1)
    with pytest.raises(ValueError, match=r"has 2 columns and the embedding 1: pass prediction="):
        PredictionError()(h, target=Y)
    with pytest.raises(ValueError, match=r"has 2 columns and the prediction 3"):
        PredictionError()(h, target=Y, prediction=draw(5, 3))
    with pytest.raises(ValueError, match=r"there are 5 samples: pass numbers of shape \(5,\)"):
        PredictionError()(h, target=Y[:4])
    with pytest.raises(ValueError, match="one class label for each of the 5 samples"):
        CrossEntropy()(h, target=Y)


# ------------------------------------------------------------------ training


def encoder(objective, **params):
    defaults = {
        "views": None,
        "n_views": 1,
        "n_components": 4,
        "passthrough": False,
        "random_state": 0,
    }
    defaults |= {"network": MLP(hidden_layer_sizes=(16,)), "projector": None, "batch_size": 32}
    return ContrastiveEncoder(**{**defaults, "objective": objective, "max_iter": 2, **params})


def scores(model, X, prefix="head"):
    weights = model.objective_weights_
    return model.transform(X) @ weights[f"{prefix}.weight"].T + weights[f"{prefix}.bias"]


def numbers(n=200, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_features))
    return X, 50 + 10 * X @ rng.standard_normal((n_features, 2))


@pytest.mark.parametrize("error", ["squared", "absolute", "huber"])
def test_prediction_error_fits_a_linear_function(error):
    X, y = numbers()
    unlabelled = y.copy()
    unlabelled[::5, 0] = np.nan
    model = encoder(PredictionError(error), network="linear", max_iter=60, learning_rate=0.02)
    model.fit(X, unlabelled)
    p = model.target_mean_ + model.target_scale_ * scores(model, X)
    assert 1 - np.mean((p - y) ** 2, 0).max() / y.var() > 0.99
    assert model.loss_curve_[-1] < 0.1 * model.loss_curve_[0]


def test_cross_entropy_separates_blobs():
    X, y = blobs(n=90)
    names = np.array(["a", "b", "c"], dtype=object)[y]
    model = encoder(CrossEntropy(label_smoothing=0.05), max_iter=40, learning_rate=0.01)
    model.fit(X, names)
    assert (model.classes_[scores(model, X).argmax(1)] == names).mean() > 0.95


def test_a_class_that_was_never_trained_on_is_read_off_its_vector():
    rng = np.random.default_rng(0)
    T = normalize(rng.standard_normal((12, 6)))
    y = np.arange(600) % 12
    # Rows hold a turned copy of their class's vector beside columns of louder noise.
    signal = T[y] @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    X = np.hstack([signal + 0.1 * rng.standard_normal((600, 6)), rng.standard_normal((600, 6))])
    known = y < 9
    objective = CrossEntropy(class_embeddings=T[:9])
    model = encoder(objective, n_components=6, network="linear", max_iter=40, learning_rate=0.01)
    model.fit(X[known], y[known])
    A = model.objective_weights_["head.weight"]
    assert A.shape == (6, 6)
    Z = normalize(model.transform(X))
    for classes in (range(12), range(9, 12)):  # among all, and among those held out
        rows = np.isin(y, classes) & (y >= 9)
        reader = ZeroShotClassifier(T[list(classes)] @ A.T, classes=list(classes)).fit(Z)
        assert reader.score(Z[rows], y[rows]) > 0.75
    # Without the map it is a guess.
    assert ZeroShotClassifier(T, classes=range(12)).fit(Z).score(Z[~known], y[~known]) < 0.5
    again = clone(model).set_params(warm_start=True).fit(X[known], y[known])
    again.set_params(max_iter=1).fit(X[known][:100], y[known][:100])
    with pytest.raises(ValueError, match="class_embeddings is for 9 classes, but y has 12"):
        model.fit(X, y)


def test_adjustment_treats_a_rare_class_as_a_frequent_one():
    rng = np.random.default_rng(0)
    y = (np.arange(600) % 10 == 0).astype(int)
    X = rng.standard_normal((600, 2)) + 1.5 * y[:, None]
    found = []
    for adjustment in (0.0, 1.0):
        model = encoder(CrossEntropy(adjustment), network="linear", max_iter=60, learning_rate=0.02)
        found.append(scores(model.fit(X, y), X).argmax(1)[y == 1].mean())
    assert found[0] < 0.7 < 0.75 < found[1]


def test_a_sum_trains_the_head_and_hands_it_on():
    X, y = numbers()
    total = SpectralContrastive() + 0.5 * PredictionError()
    settings = {"views": "corruption", "n_views": 2, "projector": "mlp", "warm_start": True}
    model = encoder(total, **settings).fit(X, y)
    name = "terms.1.terms.0.head.weight"
    before = model.objective_weights_[name]
    assert before.shape == (2, 4) and before.any()

    # A step too small to see: what is left is where it started.
    model.set_params(learning_rate=1e-12, max_iter=1).fit(X, y)
    np.testing.assert_allclose(model.objective_weights_[name], before, atol=1e-6)
    model.set_params(learning_rate=1e-3).partial_fit(X, y)
    assert 0 < np.abs(model.objective_weights_[name] - before).max() < 0.1

    with pytest.raises(ValueError, match="class or column of y: pass the same as before"):
        model.fit(X, y[:, 0])


def test_a_head_costs_no_draw():
    # Zero at first, so the sum starts as the other term, a constant added.
    X, y = blobs()
    kept = {"views": "corruption", "n_views": 2, "learning_rate": 1e-12, "max_iter": 1}
    alone = encoder(InfoNCE(), **kept).fit(X)
    total = encoder(InfoNCE() + CrossEntropy(), **kept).fit(X, y)
    assert total.loss_curve_[0] == pytest.approx(alone.loss_curve_[0] + np.log(3), abs=1e-5)


def test_partial_fit_keeps_the_columns_of_the_classes():
    X, y = blobs(n=90)
    model = encoder(SupCon() + CrossEntropy(), learning_rate=0.01)
    for _ in range(20):
        model.partial_fit(X, y)
    for _ in range(10):  # class 0 is away, the codes of the others stay
        model.partial_fit(X[y > 0], y[y > 0])
    assert model.classes_.tolist() == [0, 1, 2]
    found = scores(model, X, "terms.1.head").argmax(1)
    assert (found == y)[y > 0].mean() > 0.95
    with pytest.raises(ValueError, match="class or column of y"):
        model.partial_fit(X, y + 1)  # a class that the head has no column for


def test_early_stopping_and_precisions():
    X, y = numbers()
    for precision in ("float32", "float64", "bfloat16"):
        model = encoder(PredictionError(), precision=precision, early_stopping=True).fit(X, y)
        assert np.isfinite(model.validation_curve_).all()
        dtype = np.float64 if precision == "float64" else np.float32
        assert model.objective_weights_["head.weight"].dtype == dtype


def test_a_target_without_a_label_is_refused():
    X, _ = numbers()
    with pytest.raises(ValueError, match="y has no labelled row"):
        encoder(CrossEntropy()).fit(X, np.full(200, -1))
    with pytest.raises(ValueError, match="y has no labelled row"):
        encoder(PredictionError()).fit(X, np.full(200, np.nan))
    with pytest.raises(ValueError, match="requires y to be passed"):
        encoder(PredictionError()).fit(X)
    with pytest.raises(ValueError, match="choose components that read the same target"):
        encoder(PredictionError() + CrossEntropy()).fit(X, np.arange(200) % 3)


# ----------------------------------------------------------------- several labels

TAGS = torch.tensor([[1, 0, 1], [0, 0, 0], [-1, -1, -1], [0, 1, 1], [1, 1, 0]])


def tags_by_loops(logits, tags):
    losses = []
    for view in logits.tolist():
        for row, labels in zip(view, tags.tolist()):
            if set(labels) == {-1}:
                losses.append(None)
                continue
            terms = [np.log(1 + np.exp(-f if t else f)) for f, t in zip(row, labels)]
            losses.append(sum(terms) / len(terms))
    return mean_of(losses)


@pytest.mark.parametrize("n_views", [1, 3])
def test_labels_are_predicted_one_by_one(n_views):
    objective, h = MultiLabelCrossEntropy(), draw(n_views, 5, 4)
    same(objective(h, target=TAGS), tags_by_loops(h[..., :3], TAGS))
    given = h[:1, :, 1:]
    expected = tags_by_loops(given.expand(n_views, -1, -1), TAGS)
    same(objective(h, target=TAGS, prediction=given[0]), expected)
    # One label is a class of two.
    one, logits = TAGS[:, :1], h[..., :1]
    both = torch.cat([torch.zeros_like(logits), logits], 2)
    same(objective(logits, target=one), CrossEntropy()(both, target=one[:, 0]))
    with pytest.raises(ValueError, match="The target has 3 columns and the prediction 2: pass"):
        objective(h[..., :2], target=TAGS)


def test_labels_start_at_their_log_odds():
    built = MultiLabelCrossEntropy().build(5).double()
    built.prepare({"target": TAGS}, {}, 4)
    share = (torch.tensor([2.0, 2.0, 2.0]) + 0.5) / 5
    torch.testing.assert_close(built.head.bias.detach(), torch.logit(share))
    assert not built.head.weight.any()


def test_labels_train_an_encoder():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 5))
    tags = (rows[:, :3] > 0).astype(int)
    settings = {"max_iter": 40, "passthrough": False, "random_state": 0, "batch_size": 40}
    model = ContrastiveEncoder(6, objective="binary_cross_entropy", **settings, learning_rate=0.01)
    model.fit(rows, sp.csr_matrix(tags))
    weights = model.objective_weights_
    logits = model.transform(rows) @ weights["head.weight"].T + weights["head.bias"]
    assert ((logits > 0) == tags).mean() > 0.9
    with pytest.raises(ValueError, match="needs columns of 0 and 1, but y holds 2"):
        model.fit(rows, 2 * tags)
