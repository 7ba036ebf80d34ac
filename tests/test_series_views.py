"""Views of series against plain loops: what is drawn, and that nothing behind the end is read."""

import numpy as np
import pytest
import torch

from skcontrast import ContrastiveTextEncoder
from skcontrast._component import InvalidParameterError, check_parameters
from skcontrast._inputs.series import SeriesBatch, SeriesInput
from skcontrast.views import (
    SERIES_VIEWS,
    ChannelMask,
    Compose,
    FeatureMask,
    Jitter,
    Permutation,
    PointMask,
    Scaling,
    SegmentMask,
    SegmentSwap,
    SpanCrop,
    TimeCrop,
    Typos,
    Warp,
    build_views,
)

NAN = np.nan
LENGTHS = (1, 2, 7, 30, 30, 13)


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def series(lengths=LENGTHS, n_channels=2, missing=True):
    """Noise of unequal length, and in one series steps and channels that are missing."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n_channels, length)) for length in lengths]
    if missing:
        X[3][:, 4:9] = X[3][0, 12:15] = NAN
    return X


def batch(view, X, dtype=torch.float32):
    """The view's function, the series as a batch, and their numbers."""
    source = SeriesInput(standardize=False)
    rows = source.rows(source.fit(X), dtype=dtype)
    return build_views(view, rows), rows.take(rows.train_index), rows.train_index


def ramps(n=50, length=20):
    """Series whose values say which step they are of."""
    return np.tile(np.arange(1.0, length + 1), (n, 1))


# ---- all of them ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", SERIES_VIEWS)
def test_a_view_gives_a_new_batch_with_its_mask(name, dtype):
    view, x, index = batch(name, series(), dtype)
    before = x.clone()
    for i in range(20):
        torch.manual_seed(i)
        out = view(x, index)
        torch.manual_seed(i)
        again = view(x, index)
        assert torch.equal(out.values, again.values) and torch.equal(out.mask, again.mask)
        assert out.shape == x.shape and out.mask.shape == x.mask.shape
        assert out.dtype == dtype and out.mask.dtype == dtype
        assert out.values.isfinite().all() and set(out.mask.unique().tolist()) <= {0.0, 1.0}
        assert (out.mask.sum(2) > 0).all() and (out.values * (1 - out.mask) == 0).all()
        if name != "warp":  # a slower series is longer
            assert (out.lengths() <= x.lengths()).all()
    assert torch.equal(x.values, before.values) and torch.equal(x.mask, before.mask)


@pytest.mark.parametrize("name", SERIES_VIEWS)
def test_what_was_not_seen_is_not_read(name):
    view, x, index = batch(name, series())
    other = SeriesBatch(torch.where(x.mask > 0, x.values, 1e6), x.mask)
    for i in range(20):
        torch.manual_seed(i)
        expected = view(x, index)
        torch.manual_seed(i)
        out = view(other, index)
        assert torch.equal(out.mask, expected.mask)
        assert torch.equal(out.values * out.mask, expected.values)


@pytest.mark.parametrize(
    "view",
    [
        TimeCrop(share=(1, 1)),
        TimeCrop(share=[1, 1], resize=False),
        Warp(speed=(1, 1)),
        Permutation(max_segments=1),
        SegmentMask(rate=0),
        PointMask(rate=0),
        ChannelMask(rate=0),
        Jitter(scale=0),
        Scaling(scale=0),
        Compose(),
    ],
    ids=repr,
)
def test_the_least_change_is_none(view):
    check_parameters(view)
    view, x, index = batch(view, series())
    out = view(x, index)
    assert torch.equal(out.values, x.values) and torch.equal(out.mask, x.mask)


@pytest.mark.parametrize("name", SERIES_VIEWS)
def test_a_view_never_waits_for_the_device(name):
    # Tensors of the device "meta" have a shape and no values: to read one raises, and so does
    # mixing them with others.
    view, x, index = batch(name, series())
    out = view(x.to("meta"), index)
    assert out.values.is_meta and out.mask.is_meta and out.shape == x.shape


# A swap of equal series changes nothing.
@pytest.mark.parametrize("name", [name for name in SERIES_VIEWS if name != "segment_swap"])
def test_views_of_a_series_are_not_those_of_its_neighbours(name):
    """Rows of one batch are changed independently: equal rows become different ones."""
    X = np.random.default_rng(0).normal(size=(1, 3, 40)).repeat(30, 0)
    view, x, index = batch(name, X)
    out = view(x, index)
    assert len(torch.cat([out.values, out.mask], 1).unique(dim=0)) > 3


def test_a_segment_is_swapped_for_that_of_one_other_series_at_the_same_time():
    """Values say which series and which step they are of."""
    X = np.arange(50.0)[:, None, None] + np.arange(40) / 100 + np.zeros((50, 2, 40))
    X[0, :, 30:] = NAN
    view, x, index = batch(SegmentSwap(0.4), X, torch.float64)
    out = view(x, index)
    assert torch.equal(out.mask, x.mask)
    own, step = torch.arange(50.0)[:, None, None], torch.arange(40) / 100
    other = (out.values - step).round()[1:]
    torch.testing.assert_close(out.values[1:], other + step, check_dtype=False)
    for row, mine in zip(other[:, 0], own[1:, 0, 0]):
        assert len(row[row != mine].unique()) <= 1
    assert torch.equal(other[:, 0], other[:, 1])
    assert torch.equal(out.values[0, :, 30:], torch.zeros(2, 10))
    assert 0.3 < float((other != own[1:]).double().mean()) < 0.5


# ---- masks ---------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "length"), [(0.3, 5), (0.5, 3), (0.5, 2), (0.75, 4), (0.9, 40)])
def test_segment_mask_is_the_chain(rate, length):
    view, x, index = batch(SegmentMask(rate, length), np.ones((1000, 300)))
    s = view(x, index).values[:, 0].numpy()
    started, hidden = s[:, 0] == 0, s[:, :-1] == 0
    assert abs((s == 0).mean() - rate) < 0.02 and abs(started.mean() - rate) < 0.05
    assert abs((s[:, 1:][hidden] == 1).mean() - 1 / length) < 0.01
    assert abs((s[:, 1:][~hidden] == 0).mean() - rate / (length * (1 - rate))) < 0.01


@pytest.mark.parametrize(
    ("view", "rate", "renewed"),
    [(SegmentMask(0.4, 4), 0.4, 1 / (0.6 * 4)), (PointMask(0.5), 0.5, 1.0)],
    ids=["segment_mask", "point_mask"],
)
def test_segment_mask_equals_a_loop(view, rate, renewed):
    built, x, index = batch(view, series((25, 40, 9), n_channels=3, missing=False))
    torch.manual_seed(5)
    out = built(x, index)
    torch.manual_seed(5)
    draw = torch.rand(3, 3, 40)
    for i in range(3):
        for t in range(40):
            if t == 0 or draw[0, i, t] < renewed:
                visible = bool(draw[1, i, t] >= rate)
            assert torch.equal(out.values[i, :, t], x.values[i, :, t] * visible)
    assert torch.equal(out.mask, x.mask)


def test_masks_keep_something():
    for view in (SegmentMask(0.99, 100), PointMask(0.99)):
        built, x, index = batch(view, series())
        for _ in range(20):
            assert (built(x, index).values != 0).any(dim=2).any(dim=1).all()
    X = np.ones((200, 4, 6))
    X[:, 2] = 0
    view, x, index = batch(ChannelMask(0.9), X)
    kept = view(x, index).values[:, :, 0]
    assert (kept.sum(1) >= 1).all() and 1 < kept.sum(1).mean() < 1.3
    again = view(view(x, index), index).values
    assert (again.sum((1, 2)) >= 6).all()


def test_channel_mask_takes_whole_channels():
    view, x, index = batch(ChannelMask(0.4), np.ones((300, 10, 12)))
    out = view(x, index).values
    assert (out == out[:, :, :1]).all() and abs(out.mean() - 0.6) < 0.03
    view, x, index = batch(ChannelMask(0.9), ramps())
    assert torch.equal(view(x, index).values, x.values)


def test_noise_and_factors():
    X = series((30, 30, 20, 9), missing=False)
    view, x, index = batch(Jitter(0.5), X * 100)
    out = view(x, index)
    assert abs((out.values - x.values)[x.mask.expand(x.shape) > 0].std() - 0.5) < 0.01
    view, x, index = batch(Scaling(0.5), X * 100)
    factor = view(x, index).values / torch.where(x.values == 0, 1, x.values)
    assert torch.allclose(factor[:, :, :9], factor[:, :, :1].expand(-1, -1, 9), rtol=1e-4)
    assert abs(factor[:, :, 0].std() - 0.5) < 0.05 and abs(factor[:, :, 0].mean() - 1) < 0.05


# ---- time ----------------------------------------------------------------------------


def at(values, seen, position):
    """The value of one channel at a place between two steps, or None where none was seen."""
    before = int(position)
    part = position - before
    weight = {before: (1 - part) * seen[before]}
    if part:
        weight[before + 1] = part * seen[before + 1]
    total = sum(weight.values())
    return sum(w * values[t] for t, w in weight.items()) / total if total >= 0.5 else None


def compared(out, i, t, expected):
    if expected is None:
        assert out.mask[i, 0, t] == 0 and (out.values[i, :, t] == 0).all()
    else:
        assert out.mask[i, 0, t] == 1
        np.testing.assert_allclose(out.values[i, :, t], expected, atol=2e-5)


@pytest.mark.parametrize("share", [(0.5, 1.0), (0.1, 0.4), (0.25, 0.25)], ids=str)
def test_resized_crop_equals_a_loop(share):
    view, x, index = batch(TimeCrop(share=share), series())
    for s in range(10):
        torch.manual_seed(s)
        out = view(x, index)
        torch.manual_seed(s)
        u, v = torch.rand(6).tolist(), torch.rand(6).tolist()
        for i, n in enumerate(LENGTHS):
            drawn = share[0] + (share[1] - share[0]) * u[i]
            size = min(n, max(2, round(drawn * n)))
            start = int(v[i] * (n - size + 1))
            seen = x.mask[i, 0].numpy()
            read = [
                at(x.values[i].T.numpy(), seen, start + t * (size - 1) / max(1, n - 1))
                for t in range(n)
            ]
            if all(value is None for value in read):
                read = [x.values[i, :, t] if seen[t] else None for t in range(n)]
            for t in range(x.shape[2]):
                compared(out, i, t, read[t] if t < n else None)


@pytest.mark.parametrize("share", [(0.5, 1.0), (0.1, 0.5), (0.7, 0.7)], ids=str)
def test_crops_in_place_have_steps_in_common(share):
    lengths = range(1, 14)
    view, x, index = batch(TimeCrop(share=share, resize=False), series(lengths, missing=False))
    places = set()
    for _ in range(60):
        first, second = view(x, index), view(x, index)
        for crop in (first, second):
            assert torch.equal(crop.values, x.values * crop.mask)
            edges = np.diff(crop.mask[:, 0].numpy(), prepend=0, append=0, axis=1) != 0
            assert (edges.sum(1) == 2).all()
            size = crop.mask.sum((1, 2)).numpy()
            least = [min(n, max(round(share[0] * n), (n + 1) // 2 + 1)) for n in lengths]
            assert (size >= least).all()
            assert (size <= [max(round(share[1] * n), low) for n, low in zip(lengths, least)]).all()
        common = (first.mask * second.mask).sum((1, 2))
        assert (common >= torch.tensor(lengths).clamp_max(2)).all()
        places.add((int(first.mask[12].argmax()), int(first.mask[12].sum())))
    assert len(places) > 3


def test_an_interval_of_which_nothing_was_seen_is_not_taken():
    X = np.full((200, 30), NAN)
    X[:, 0] = X[:, 29] = 1.0
    for view in (TimeCrop((0.2, 0.2)), TimeCrop((0.5, 0.6), resize=False), Warp((0.3, 3))):
        built, x, index = batch(view, X)
        assert (built(x, index).mask.sum((1, 2)) > 0).all()


@pytest.mark.parametrize("speed", [(0.8, 1.25), (2.0, 2.0), (0.3, 0.5)], ids=str)
def test_warp_equals_a_loop(speed):
    view, x, index = batch(Warp(speed=speed), series(), torch.float64)
    for s in range(10):
        torch.manual_seed(s)
        out = view(x, index)
        torch.manual_seed(s)
        drawn = speed[0] * (speed[1] / speed[0]) ** torch.rand(6)
        for i, n in enumerate(LENGTHS):
            seen = x.mask[i, 0].numpy()
            for t in range(30):
                place = float(drawn[i] * t)  # in float32
                inside = place <= n - 1
                compared(out, i, t, at(x.values[i].T.numpy(), seen, place) if inside else None)


def test_permutation_moves_segments_of_all_channels():
    lengths = (1, 2, 7, 30)
    X = [np.stack([np.arange(n) + 1.0, -np.arange(n) - 1.0]) for n in lengths]
    view, x, index = batch(Permutation(max_segments=4), X)
    counts, firsts = np.zeros(5), set()
    for _ in range(300):
        out = view(x, index)
        assert torch.equal(out.mask, x.mask) and torch.equal(out.values[:, 0], -out.values[:, 1])
        for i, n in enumerate(lengths):
            place = out.values[i, 0, :n].numpy()
            assert sorted(place) == list(range(1, n + 1))
            breaks = (np.diff(place) != 1).sum()
            assert breaks <= 3
        counts[breaks] += 1
        firsts.add(place[0])
    # One segment a quarter of the time; and those that fall back into their order.
    assert 0.25 < counts[0] / 300 < 0.6 and counts[3] > 10 and len(firsts) > 15


def test_permutation_cuts_anywhere():
    view, x, index = batch(Permutation(max_segments=2), ramps(2000, 5))
    first = view(x, index).values[:, 0, 0]
    moved = first[first > 1].numpy()
    np.testing.assert_allclose(
        np.bincount(moved.astype(int), minlength=6)[2:] / len(moved), 0.25, atol=0.06
    )
    assert abs(len(moved) / 2000 - 0.25) < 0.03


def test_missing_steps_move_along():
    X = ramps(100, 12)
    X[:, 3:5] = NAN
    view, x, index = batch("permutation", X)
    out = view(x, index)
    assert (out.mask.sum((1, 2)) == 10).all() and torch.equal(out.values > 0, out.mask > 0)
    assert len(out.mask.unique(dim=0)) > 3


# ---- composition and messages --------------------------------------------------------


def test_a_function_and_a_list_are_views():
    def upside(x):
        x.values.neg_()
        return x

    view, x, index = batch(["crop", upside, Scaling(0)], series())
    torch.manual_seed(1)
    out = view(x, index)
    torch.manual_seed(1)
    crop = batch("crop", series())[0](x, index)
    assert torch.equal(out.values, -crop.values) and torch.equal(out.mask, crop.mask)
    for bad in (lambda x: x.values, lambda x: x.take(index[:2])):
        with pytest.raises(ValueError, match="must return a SeriesBatch of the shape"):
            batch(bad, series())[0](x, index)
    with pytest.raises(ValueError, match="returned NaN"):
        batch(lambda x: x.with_values(x.values / 0), series())[0](x, index)


def test_names_with_parameters():
    view = Compose(views=("crop", "segment_mask", "jitter"))
    view.set_params(**{"0__resize": False, "1__rate": 0.5, "2__scale": 2.0})
    assert repr(view.views[:2]) == "(TimeCrop(resize=False), SegmentMask(rate=0.5))"
    assert view.views[2].scale == 2.0
    # The same name is that of a view of texts.
    assert isinstance(Compose(views=("crop",)).set_params(**{"0__low": 0.2}).views[0], SpanCrop)
    assert {"0__low", "0__share"} <= Compose(views=("crop",)).get_params().keys()
    encoder = ContrastiveTextEncoder(views="crop").set_params(views__low=0.2)
    assert encoder.views.low == 0.2
    encoder = ContrastiveTextEncoder(views=["crop", "typos"]).set_params(views__0__low=0.2)
    assert encoder.views.views[0].low == 0.2 and isinstance(encoder.views.views[1], Typos)


def test_what_does_not_fit_is_said():
    for view, match in {
        FeatureMask(): r"FeatureMask\(\) reads numbers, but the rows are series: type views='crop'",
        TimeCrop(
            (0.9, 0.2)
        ): r"TimeCrop: share=\(0.9, 0.2\) must be two numbers above 0 and at most 1",
        TimeCrop((0.5, 1.2)): r"the smaller one first: type share=\(0.5, 1.0\)",
        TimeCrop((0.1, 0.3), resize=False): "of up to 0.3 of a series need not overlap",
        Warp((0, 1)): r"Warp: speed=\(0, 1\) must be two numbers above 0, the smaller",
        Warp((1,)): r"type speed=\(0.8, 1.25\)",
        SegmentMask(0.5, 1): "type mean_length=2 or more",
    }.items():
        with pytest.raises(ValueError, match=match):
            batch(view, series())
    for view in (Jitter(-1), ChannelMask(1.0), Permutation(0), SegmentMask(0.5, 0.5)):
        with pytest.raises(InvalidParameterError):
            check_parameters(view)
