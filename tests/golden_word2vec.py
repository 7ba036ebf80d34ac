"""Golden vectors of word2vec: steps on given pairs and negatives, and tables of the counts."""

import numpy as np
import sgns_equations
import torch

from skcontrast.text._corpus import keep_probability, noise_distribution
from skcontrast.text._steps import SkipGramStep
from skcontrast.text._stream import Epoch, Layout, Shape


def block_step(case, i, o, negatives, negative):
    """Changes of one pair by the step of the blocks, with given negatives and no row cap."""
    inputs, outputs = case.constant("in_before"), case.constant("out_before")
    shape = Shape(n_windows=1, width=2, reach=1, n_noise=len(negatives))
    # The stream is [pad, output word, input word, pad]; only the output word looks around.
    epoch = Epoch(torch.tensor([0, o, i, 0]), torch.tensor([0, 0]), torch.tensor([1, 0]), n_steps=1)
    # The noise is not used: the negatives are given.
    noise = torch.ones(len(inputs), dtype=torch.float64)
    layout = Layout(shape, noise, negative, dtype=torch.float64)
    group = layout(epoch, 0, 1, torch.as_tensor(negatives)[None])
    table = torch.cat([inputs, outputs])
    step = SkipGramStep(table, shape, layout.share, cap=None)
    loss = torch.zeros(2, dtype=torch.float64)
    changes = [step(group, 0, case.number("lr"), loss)]
    for part in step.parts:
        step.apply(changes, part)
    assert loss[1] == 1
    return loss[0], table[: len(inputs)], table[len(inputs) :]


def by_block(case, pairs, negatives, negative):
    """Sum of the changes of single pairs: the step at the same vectors for all of them."""
    before = [case.arrays[name] for name in ("in_before", "out_before")]
    after, total = [array.copy() for array in before], 0.0
    for (i, o), words in zip(pairs, negatives):
        loss, *tables = block_step(case, int(i), int(o), words, negative)
        total += loss.item()
        for sum_, table, start in zip(after, tables, before):
            sum_ += table.numpy() - start
    return total, *after


def sgns_step(case):
    """Own negatives for each pair: the step at the vectors before, and pair after pair."""
    x, y, rate = case.arrays["in_before"], case.arrays["out_before"], case.number("lr")
    pairs = np.stack([case.arrays["center"], case.arrays["context"]], axis=1)
    negatives = case.arrays["negatives"]
    for form, masked in (("plain", False), ("masked", True)):
        weights = sgns_equations.own_weights(pairs, negatives, masked)
        loss, dx, dy = sgns_equations.pair_gradients(x, y, pairs, negatives, weights)
        case.check(f"loss_{form}", np.asarray(loss))
        case.check(f"grad_in_{form}", dx)
        case.check(f"grad_out_{form}", dy)
        case.check(f"in_after_{form}", x - rate * dx)
        case.check(f"out_after_{form}", y - rate * dy)
    after = sgns_equations.sequential_step(x, y, pairs, negatives, weights, rate)
    case.check("in_after_sequential", after[0])
    case.check("out_after_sequential", after[1])
    loss, *after = by_block(case, pairs, negatives, negatives.shape[1])
    case.check("loss_masked", np.asarray(loss))
    case.check("in_after_masked", after[0])
    case.check("out_after_masked", after[1])


def sgns_shared_step(case):
    """Negatives shared by all pairs, weighted by K / N."""
    x, y, rate = case.arrays["in_before"], case.arrays["out_before"], case.number("lr")
    pairs = np.stack([case.arrays["center"], case.arrays["context"]], axis=1)
    negatives, negative = case.arrays["shared_negatives"], case.number("K")
    weights = sgns_equations.shared_weights(pairs, negatives, negative)
    shared = np.tile(negatives, (len(pairs), 1))
    loss, dx, dy = sgns_equations.pair_gradients(x, y, pairs, shared, weights)
    case.check("loss", np.asarray(loss))
    case.check("grad_in", dx)
    case.check("grad_out", dy)
    case.check("in_after", x - rate * dx)
    case.check("out_after", y - rate * dy)
    loss, *after = by_block(case, pairs, shared, negative)
    case.check("loss", np.asarray(loss))
    case.check("in_after", after[0])
    case.check("out_after", after[1])


def vocab_tables(case):
    """Keep probabilities, and gensim's integer forms of them and of the noise."""
    counts = case.arrays["counts"]
    for key in case.arrays:
        kind, _, value = key.rpartition("_")
        if kind == "keep":
            case.check(key, keep_probability(counts, float(value)))
        elif kind == "sample_int":
            scaled = keep_probability(counts, float(value)) * (2**32 - 1)
            case.check(key, scaled.astype(np.uint64))
        elif kind == "cum_table":
            noise = noise_distribution(counts, float(value.removeprefix("exp")))
            case.check(key, np.rint(np.cumsum(noise) * (2**31 - 1)).astype(np.uint32))
