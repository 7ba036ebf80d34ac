"""The compiled loops of `_numba`: imported only where numba is installed."""

import numpy as np
from numba import njit

# Scores are cut at this value, beyond which the logistic function is 0 or 1 to 3e-4.
_LIMIT = 8.0
_ENTRIES = 2048
_SCALE = np.float32(_ENTRIES / (2 * _LIMIT))
_SIGMOID = (
    1 / (1 + np.exp(-(np.arange(_ENTRIES + 1, dtype=np.float64) / _SCALE - _LIMIT)))
).astype(np.float32)

_fast = njit(cache=True, nogil=True, fastmath=True)


@_fast
def _draw(state):
    """Next 32 random bits: the upper half of a xorshift64* number."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return (x * np.uint64(2685821657736338717)) >> np.uint64(32)


@_fast
def _below(state, n):
    """Random integer from 0 to n - 1."""
    return np.int64((_draw(state) * np.uint64(n)) >> np.uint64(32))


@_fast
def _thin_out(ids, begin, end, keep, state, words):
    """Copy the kept words of a document; give their number."""
    n = 0
    for p in range(begin, end):
        word = ids[p]
        if _draw(state) < keep[word]:
            words[n] = word
            n += 1
    return n


@_fast
def _negatives(noise, centre, negative, state, targets):
    """Draw negatives behind the first target; those equal to the centre are left out."""
    n = 1
    for _ in range(negative):
        word = noise[_below(state, len(noise))]
        if word != centre:
            targets[n] = word
            n += 1
    return n


@_fast
def _longest(offsets):
    longest = 1
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    return longest


@_fast
def _softplus(x):
    return max(x, 0.0) + np.log1p(np.exp(-abs(x)))


@_fast
def _centre(inputs, outputs, changes, words, first, last, centre_at, n_targets, rate, measure):
    """Compare each context with the centre and its negatives; give the sum of the losses."""
    d = inputs.shape[1]
    loss = 0.0
    slopes = np.empty(n_targets, dtype=np.float32)
    for s in range(first, last):
        if s == centre_at:
            continue
        x = inputs[words[s]]
        for o in range(n_targets):
            score = np.float32(0.0)
            for j in range(d):
                score += x[j] * outputs[o, j]
            if measure:
                loss += _softplus(-score if o == 0 else score)
            cell = (min(max(score, -_LIMIT), _LIMIT) + _LIMIT) * _SCALE
            label = np.float32(1.0 if o == 0 else 0.0)
            slopes[o] = (label - _SIGMOID[int(cell)]) * rate
        # The first target sets the change of x, in place of zeros.
        for o in range(n_targets):
            g = slopes[o]
            for j in range(d):
                changes[o, j] += g * x[j]
        for o in range(n_targets):
            g = slopes[o]
            for j in range(d):
                x[j] += g * outputs[o, j]
    return loss


@_fast
def skip_gram_epoch(
    inputs, context, ids, offsets, keep, noise, window, negative, rate, last_rate, every, state,
    totals,
):  # fmt: skip
    """Pass over all documents once; add loss, pairs measured and all pairs to ``totals``."""
    d = inputs.shape[1]
    words = np.empty(_longest(offsets), dtype=np.int32)
    targets = np.empty(negative + 1, dtype=np.int32)
    outputs = np.empty((negative + 1, d), dtype=np.float32)
    changes = np.empty((negative + 1, d), dtype=np.float32)
    fall = (rate - last_rate) / max(len(ids), 1)
    n_centres = 0
    for document in range(len(offsets) - 1):
        begin = offsets[document]
        n_words = _thin_out(ids, begin, offsets[document + 1], keep, state, words)
        now = np.float32(rate - fall * begin)
        for t in range(n_words):
            reach = 1 + _below(state, window)
            first, last = max(0, t - reach), min(n_words, t + reach + 1)
            if last - first < 2:
                continue
            targets[0] = words[t]
            n_targets = _negatives(noise, words[t], negative, state, targets)
            for o in range(n_targets):
                row = context[targets[o]]
                for j in range(d):
                    outputs[o, j] = row[j]
                    changes[o, j] = 0.0
            measure = n_centres % every == 0
            n_centres += 1
            loss = _centre(inputs, outputs, changes, words, first, last, t, n_targets, now, measure)
            for o in range(n_targets):
                row = context[targets[o]]
                for j in range(d):
                    row[j] += changes[o, j]
            if measure:
                totals[0] += loss
                totals[1] += last - first - 1
            totals[2] += last - first - 1


@_fast
def _turn(row, towards, amount):
    """Move a unit row along ``towards`` at a right angle to itself; bring it back to length 1."""
    d = len(row)
    along = np.float32(0.0)
    for j in range(d):
        along += row[j] * towards[j]
    square = np.float32(0.0)
    for j in range(d):
        row[j] += amount * (towards[j] - along * row[j])
        square += row[j] * row[j]
    scale = np.float32(1.0) / np.sqrt(square)
    for j in range(d):
        row[j] *= scale


@_fast
def margin_epoch(
    table, ids, offsets, keep, noise, window, negative, margin, rate, last_rate, every, state,
    totals,
):  # fmt: skip
    """Pass over all documents once; add loss, pairs measured and all pairs to ``totals``."""
    d = table.shape[1]
    words = np.empty(_longest(offsets), dtype=np.int32)
    targets = np.empty(negative + 1, dtype=np.int32)
    far = np.empty(negative + 1, dtype=np.float32)
    active = np.empty(negative + 1, dtype=np.float32)
    centre = np.empty(d, dtype=np.float32)
    change = np.empty(d, dtype=np.float32)
    fall = (rate - last_rate) / max(len(ids), 1)
    for document in range(len(offsets) - 1):
        begin = offsets[document]
        n_words = _thin_out(ids, begin, offsets[document + 1], keep, state, words)
        now = np.float32(rate - fall * begin)
        for t in range(n_words):
            reach = 1 + _below(state, window)
            first, last = max(0, t - reach), min(n_words, t + reach + 1)
            if last - first < 2:
                continue
            n_targets = _negatives(noise, words[t], negative, state, targets)
            centre[:] = table[words[t]]
            change[:] = 0.0
            for o in range(1, n_targets):
                active[o] = 0.0
                score = np.float32(0.0)
                for j in range(d):
                    score += centre[j] * table[targets[o], j]
                far[o] = score
            for s in range(first, last):
                if s == t:
                    continue
                x = table[words[s]]
                near = np.float32(0.0)
                for j in range(d):
                    near += centre[j] * x[j]
                count = np.float32(0.0)
                for o in range(1, n_targets):
                    hinge = margin - near + far[o]
                    if hinge > 0:
                        count += np.float32(1.0)
                        active[o] += np.float32(1.0)
                        totals[0] += hinge
                if count > 0:
                    for j in range(d):
                        change[j] += count * x[j]
                    _turn(x, centre, now * count)
            for o in range(1, n_targets):
                if active[o] > 0:
                    x = table[targets[o]]
                    for j in range(d):
                        change[j] -= active[o] * x[j]
                    _turn(x, centre, -now * active[o])
            _turn(table[words[t]], change, now)
            totals[1] += last - first - 1
            totals[2] += last - first - 1
