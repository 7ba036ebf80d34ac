"""The compiled loops of `_numba`: imported only where numba is installed."""

import numpy as np
from numba import njit

# Scores are cut at this value, beyond which the logistic function is 0 or 1 to 3e-4.
_LIMIT = np.float32(8.0)
_ENTRIES = 2048
_SCALE = np.float32(_ENTRIES / (2 * _LIMIT))
_SIGMOID = (
    1 / (1 + np.exp(-(np.arange(_ENTRIES + 1, dtype=np.float64) / _SCALE - _LIMIT)))
).astype(np.float32)

_fast = njit(cache=True, nogil=True, fastmath=True)


# Not fast mathematics, which knows no NaN: a score that is none must pick an entry too.
@njit(cache=True, nogil=True)
def _entry(score):
    if score >= _LIMIT:
        return _ENTRIES
    if score > -_LIMIT:
        return int((score + _LIMIT) * _SCALE)
    return 0


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
def _pool(noise, n_pool, state):
    """Draw the words that are negatives in a round: few, so that their rows stay at hand."""
    pool = np.empty(n_pool, dtype=np.int32)
    for i in range(n_pool):
        pool[i] = noise[_below(state, len(noise))]
    return pool


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
def _longest(cuts, first_piece, last_piece):
    longest = 1
    for i in range(first_piece, last_piece):
        longest = max(longest, cuts[i + 1] - cuts[i])
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
            label = np.float32(1.0 if o == 0 else 0.0)
            slopes[o] = (label - _SIGMOID[_entry(score)]) * rate
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
def skip_gram_round(
    tables, touched, ids, cuts, first_piece, last_piece, keep, noise, n_pool, window, negative,
    rate, every, state, totals,
):  # fmt: skip
    """Go over some pieces of the text once.

    ``tables`` (2, n_words, d) and ``touched`` (2, n_words), the number of changes of each row,
    belong to this share alone. Loss, pairs measured and all pairs are added to ``totals``.
    """
    inputs, context = tables[0], tables[1]
    d = inputs.shape[1]
    words = np.empty(_longest(cuts, first_piece, last_piece), dtype=np.int32)
    targets = np.empty(negative + 1, dtype=np.int32)
    outputs = np.empty((negative + 1, d), dtype=np.float32)
    changes = np.empty((negative + 1, d), dtype=np.float32)
    pool = _pool(noise, n_pool, state)
    n_centres = 0
    for piece in range(first_piece, last_piece):
        n_words = _thin_out(ids, cuts[piece], cuts[piece + 1], keep, state, words)
        for t in range(n_words):
            reach = 1 + _below(state, window)
            first, last = max(0, t - reach), min(n_words, t + reach + 1)
            n_pairs = last - first - 1
            if n_pairs < 1:
                continue
            targets[0] = words[t]
            n_targets = _negatives(pool, words[t], negative, state, targets)
            for o in range(n_targets):
                row = context[targets[o]]
                for j in range(d):
                    outputs[o, j] = row[j]
                    changes[o, j] = 0.0
            measure = n_centres % every == 0
            n_centres += 1
            loss = _centre(
                inputs, outputs, changes, words, first, last, t, n_targets, rate, measure
            )
            for s in range(first, last):
                if s != t:
                    touched[0, words[s]] += 1
            for o in range(n_targets):
                row = context[targets[o]]
                touched[1, targets[o]] += n_pairs
                for j in range(d):
                    row[j] += changes[o, j]
            if measure:
                totals[0] += loss
                totals[1] += n_pairs
            totals[2] += n_pairs


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
def margin_round(
    tables, touched, ids, cuts, first_piece, last_piece, keep, noise, n_pool, window, negative,
    rate, margin, state, totals,
):  # fmt: skip
    """The same for the margin objective, whose one table has unit rows; all pairs are measured."""
    table = tables[0]
    d = table.shape[1]
    words = np.empty(_longest(cuts, first_piece, last_piece), dtype=np.int32)
    targets = np.empty(negative + 1, dtype=np.int32)
    far = np.empty(negative + 1, dtype=np.float32)
    active = np.empty(negative + 1, dtype=np.float32)
    centre = np.empty(d, dtype=np.float32)
    change = np.empty(d, dtype=np.float32)
    pool = _pool(noise, n_pool, state)
    for piece in range(first_piece, last_piece):
        n_words = _thin_out(ids, cuts[piece], cuts[piece + 1], keep, state, words)
        for t in range(n_words):
            reach = 1 + _below(state, window)
            first, last = max(0, t - reach), min(n_words, t + reach + 1)
            if last - first < 2:
                continue
            n_targets = _negatives(pool, words[t], negative, state, targets)
            centre[:] = table[words[t]]
            change[:] = 0.0
            for o in range(1, n_targets):
                active[o] = 0.0
                score = np.float32(0.0)
                for j in range(d):
                    score += centre[j] * table[targets[o], j]
                far[o] = score
            for s in range(first, last):
                touched[0, words[s]] += 1
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
                    _turn(x, centre, rate * count)
            for o in range(1, n_targets):
                if active[o] > 0:
                    touched[0, targets[o]] += 1
                    x = table[targets[o]]
                    for j in range(d):
                        change[j] -= active[o] * x[j]
                    _turn(x, centre, -rate * active[o])
            _turn(table[words[t]], change, rate)
            totals[1] += last - first - 1
            totals[2] += last - first - 1


@_fast
def meet(tables, own, touched, part, n_parts, limit, unit):
    """Join what the shares did to every ``n_parts``-th row, and give all of them the result.

    ``tables`` (n_tables, n_words, d) are as they were when the shares began, ``own`` (n_shares,
    n_tables, n_words, d) as each left them, and ``touched`` int32 says how often each changed each
    row; it is zero afterwards. A row that one share changed is taken as it is. Changes by several
    are summed while they are few, as they would be one after the other; from ``limit`` on each
    share has gone most of the way to where the row belongs, and they are averaged. With ``unit``
    rows have length one.
    """
    n_tables, n_words, d = tables.shape
    for table in range(n_tables):
        for r in range(part, n_words, n_parts):
            n_shares, total, row = 0, 0, tables[table, r]
            for share in range(len(own)):
                total += touched[share, table, r]
                n_shares += touched[share, table, r] > 0
            if not n_shares:
                continue
            factor = np.float32(min(1.0, max(1.0 / n_shares, limit / total)))
            square = np.float32(0.0)
            for j in range(d):
                change = np.float32(0.0)
                for share in range(len(own)):
                    change += own[share, table, r, j] - row[j]
                row[j] += factor * change
                square += row[j] * row[j]
            scale = np.float32(1.0) / np.sqrt(square) if unit else np.float32(1.0)
            for share in range(len(own)):
                touched[share, table, r] = 0
                for j in range(d):
                    own[share, table, r, j] = row[j] * scale
            if unit:
                for j in range(d):
                    row[j] *= scale
