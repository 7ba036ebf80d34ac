"""The solvers of skip-gram do what the equations in sgns_equations.py say."""

import importlib

import numpy as np
import pytest
import sgns_equations
import torch
from scipy.special import expit
from text_instances import topics

from skcontrast import Word2VecVectorizer
from skcontrast.text._corpus import Corpus, Options
from skcontrast.text._margin import MarginLayout, MarginStep
from skcontrast.text._numba import Shares, available, noise_table, rounds_of
from skcontrast.text._steps import SkipGramStep
from skcontrast.text._stream import Layout, Shape, draw_epoch
from skcontrast.text._team import run_team

needs_numba = pytest.mark.skipif(not available(), reason="needs numba")
LENGTHS = [1, 7, 0, 23, 2, 14]
N_WORDS, D, WINDOW, NEGATIVE = 12, 5, 3, 4


def corpus(rng):
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    return Corpus(rng.integers(0, N_WORDS, offsets[-1]).astype(np.int32), offsets)


def drawn(rng, shape, n_shares=1):
    """An epoch that keeps all words, and its documents."""
    ids, offsets = map(torch.from_numpy, corpus(rng))
    generator = torch.Generator().manual_seed(0)
    return draw_epoch(ids, offsets, None, shape.reach, shape.n_centres, n_shares, generator)


def pairs_of(epoch, shape, step):
    """Context and centre of each pair of a step, as the epoch says who looks how far."""
    ids, reach = epoch.ids.numpy(), shape.reach
    centres = range(step * shape.n_centres, (step + 1) * shape.n_centres)
    return np.array(
        [
            (ids[p + reach + shift], ids[p + reach])
            for p in centres
            for shift in range(-int(epoch.left[p]), int(epoch.right[p]) + 1)
            if shift
        ]
    )


SHAPES = [Shape(3, 8, WINDOW, 9), Shape(1, 6, WINDOW, 9), Shape(4, 6, WINDOW, N_WORDS + 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=["windows", "one window", "whole vocabulary"])
@pytest.mark.parametrize("objective", ["sgns", "margin"])
def test_a_block_is_the_sum_of_its_pairs(shape, objective):
    rng = np.random.default_rng(0)
    noise = rng.random(N_WORDS) + 0.1
    noise /= noise.sum()
    form = Layout if objective == "sgns" else MarginLayout
    layout = form(shape, torch.from_numpy(noise), NEGATIVE, dtype=torch.float64)
    epoch = drawn(rng, shape)
    negatives = layout.negatives(epoch.n_steps, torch.Generator().manual_seed(1))
    group = layout(epoch, 0, epoch.n_steps, negatives)
    n_pairs = 0
    for i in range(epoch.n_steps):
        pairs = pairs_of(epoch, shape, i)
        if not len(pairs):
            continue
        n_pairs += len(pairs)
        words = np.broadcast_to(negatives[i].numpy(), (len(pairs), len(layout.share)))
        weights = layout.share.numpy() * (words != pairs[:, 1:])
        x, y = rng.standard_normal((2, N_WORDS, D))
        if objective == "sgns":
            table = torch.from_numpy(np.concatenate([x, y]))
            step = SkipGramStep(table, shape, layout.share, cap=None)
            expected, *gradients = sgns_equations.pair_gradients(x, y, pairs, words, weights)
            gradient = np.concatenate(gradients)
        else:
            x /= np.linalg.norm(x, axis=1, keepdims=True)
            table = torch.from_numpy(x)
            step = MarginStep(table, shape, layout.share, 0.3, cap=None)
            expected, gradient = sgns_equations.margin_gradients(
                x, pairs[:, ::-1], words, weights, 0.3
            )
        loss = torch.zeros(2, dtype=torch.float64)
        index, change = step(group, i, 0.1, loss)
        total = torch.zeros_like(table).index_add_(0, index, change)
        np.testing.assert_allclose(total.numpy(), -0.1 * gradient, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(loss.numpy(), [expected, len(pairs)], rtol=1e-9)
    assert n_pairs > 100


def test_a_word_looks_within_its_document_and_window():
    shape, rng = SHAPES[0], np.random.default_rng(1)
    epoch = drawn(rng, shape, n_shares=2)
    n = sum(LENGTHS)
    place = np.concatenate([np.arange(length) for length in LENGTHS])
    room = np.concatenate([length - 1 - np.arange(length) for length in LENGTHS])
    left, right = epoch.left.numpy(), epoch.right.numpy()
    reach = np.maximum(left, right)[:n]
    assert epoch.n_steps % 2 == 0 and epoch.n_steps * shape.n_centres == len(left)
    assert not left[n:].any() and not right[n:].any()
    assert (left[:n] == np.minimum(reach, place)).all()
    assert (right[:n] == np.minimum(reach, room)).all()
    wide = reach[np.maximum(place, room) >= WINDOW]
    assert set(wide) == set(range(1, WINDOW + 1))


def test_rows_with_many_pairs_are_slowed():
    shape, rng = SHAPES[0], np.random.default_rng(2)
    layout = Layout(shape, torch.ones(N_WORDS, dtype=torch.float64), NEGATIVE, torch.float64)
    epoch = drawn(rng, shape)
    negatives = layout.negatives(epoch.n_steps, torch.Generator().manual_seed(1))
    group = layout(epoch, 0, epoch.n_steps, negatives)
    x, y = rng.standard_normal((2, N_WORDS, D))
    table = torch.from_numpy(np.concatenate([x, y]))
    rate, cap = 0.5, 30.0
    free, held = (
        torch.zeros_like(table).index_add_(
            0, *SkipGramStep(table, shape, layout.share, cap=c)(group, 0, rate)
        )
        for c in (None, cap)
    )
    curvature = np.zeros(2 * N_WORDS)
    for context, centre in pairs_of(epoch, shape, 0):
        curvature[context] += y[centre] @ y[centre]
        curvature[N_WORDS + centre] += x[context] @ x[context]
        for n in negatives[0].numpy():
            share = NEGATIVE / shape.n_noise
            curvature[context] += share * y[n] @ y[n]
            curvature[N_WORDS + n] += share * x[context] @ x[context]
    factor = np.minimum(1, cap / (rate * np.maximum(curvature, 1e-12)))
    assert (factor < 1).any() and (factor == 1).any()
    np.testing.assert_allclose(held.numpy(), free.numpy() * factor[:, None], rtol=1e-9)


def compiled(tables, text, window, **options):
    """Shares over a text of which all words are kept, where word 0 is the one negative."""
    options = Options(tables.shape[2], window, sample=0, seed=0, **options)
    shares = Shares(tables, text, np.bincount(text.ids, minlength=N_WORDS), options)
    shares.given = shares.given[0], np.zeros(4, np.int32), *shares.given[2:]
    return shares


@needs_numba
def test_a_compiled_round_is_one_step_for_each_centre():
    rng = np.random.default_rng(3)
    text = corpus(rng)
    tables = rng.standard_normal((2, N_WORDS, D)).astype(np.float32)
    x, y = tables.astype(np.float64)
    shares = compiled(tables.copy(), text, 1, negative=2)
    totals = np.zeros(3)
    # All pieces at once, on the first share's own tables.
    shares.bounds = np.array([[0, len(shares.cuts) - 1]] * len(shares.own))
    shares.round(0, 0, np.float32(0.05), totals)
    n_pairs = 0
    for begin, end in zip(shares.cuts[:-1], shares.cuts[1:]):
        words = text.ids[begin:end]
        for t, centre in enumerate(words):
            near = [words[s] for s in (t - 1, t + 1) if 0 <= s < len(words)]
            targets = [centre] + [0] * (2 * (centre != 0))
            before = y[targets].copy()
            for word in near:
                slope = 0.05 * (np.eye(len(targets))[0] - expit(before @ x[word]))
                for target, g in zip(targets, slope):
                    y[target] += g * x[word]
                x[word] += slope @ before
                n_pairs += 1
    np.testing.assert_allclose(shares.own[0], [x, y], atol=2e-3)
    assert np.abs(x - tables[0]).max() > 0.05
    assert totals[2] == n_pairs


@needs_numba
@pytest.mark.parametrize("unit", [False, True])
def test_shares_meet_at_the_sum_of_few_changes_and_the_mean_of_many(unit):
    rng = np.random.default_rng(4)
    loops = importlib.import_module("skcontrast.text._numba_loops")
    tables = rng.standard_normal((1, 6, D)).astype(np.float32)
    own = tables + rng.standard_normal((3, 1, 6, D)).astype(np.float32)
    touched = np.array([[0, 9, 2, 10, 90, 0], [0, 0, 3, 10, 90, 0], [0, 0, 0, 0, 90, 7]], np.int32)
    own[touched[:, None] == 0] = np.broadcast_to(tables, own.shape)[touched[:, None] == 0]
    change = (own - tables).sum(axis=0)
    factor = np.array([1, 1, 1, 15 / 20, 1 / 3, 1], np.float32)[:, None]
    expected = tables + factor * change
    if unit:
        expected /= np.linalg.norm(expected, axis=2, keepdims=True)
        expected[0, 0] = tables[0, 0]  # nobody touched it
    touched = touched[:, None].copy()
    for part in range(2):
        loops.meet(tables, own, touched, part, 2, 15, unit)
    np.testing.assert_allclose(tables, expected, rtol=1e-5, atol=1e-6)
    assert (own == tables).all() and not touched.any()


@pytest.mark.parametrize("n_shares", [1, 2, 3])
def test_rounds_hold_each_word_once_and_no_pair_over_the_end_of_a_document(n_shares):
    rng = np.random.default_rng(5)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 900, 20))])
    text = Corpus(np.zeros(offsets[-1], np.int32), offsets)
    cuts, bounds = rounds_of(text, n_shares)
    assert np.isin(offsets, cuts).all()
    assert bounds[0, 0] == 0 and bounds[-1, -1] == len(cuts) - 1
    assert (bounds[1:, 0] == bounds[:-1, -1]).all()
    size = np.diff(cuts[bounds], axis=1)
    assert bounds.shape[1] > 3 and size.max() - size.min() <= 1


@needs_numba
def test_negatives_are_as_frequent_as_the_noise():
    counts = np.array([1000, 100, 10, 0])
    share = np.bincount(noise_table(counts, 0.75), minlength=4)
    np.testing.assert_allclose(share / share.sum(), counts**0.75 / (counts**0.75).sum(), atol=1e-6)


@pytest.mark.parametrize("objective", ["sgns", "margin"])
@pytest.mark.parametrize("solver", ["block", pytest.param("numba", marks=needs_numba)])
def test_threads_do_not_change_the_vectors(solver, objective):
    X, _ = topics(400)
    fits = []
    before = torch.get_num_threads()
    for n_jobs, threads in ((1, 1), (2, 1), (2, 2), (3, 2)):
        torch.set_num_threads(threads)
        try:
            model = Word2VecVectorizer(
                8,
                min_count=1,
                solver=solver,
                objective=objective,
                n_jobs=n_jobs,
                device="cpu",
                random_state=0,
            ).fit(X)
        finally:
            torch.set_num_threads(before)
        fits.append((model.embedding_, model.context_embedding_, model.loss_curve_))
    for fit in fits[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(fits[0], fit))


def test_a_thread_that_fails_ends_the_others():
    reached = []

    def work(number, wait):
        if number == 1:
            raise KeyError("broken")
        wait()
        reached.append(number)

    with pytest.raises(KeyError, match="broken"):
        run_team(work, 3)
    assert not reached
