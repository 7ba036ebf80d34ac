"""The stream of kept words, cut into blocks of steps: drawn anew for each epoch, all at once."""

from typing import NamedTuple

import torch

# So many words are drawn at a time, and so many pairs of a mask are laid out at a time.
_DRAW = 1 << 22
_LAYOUT = 1 << 19


class Shape(NamedTuple):
    """Sizes of a step.

    ``n_windows`` windows of ``width`` centres follow each other; each window looks ``reach``
    words to both sides. ``n_noise`` negatives serve the whole step.
    """

    n_windows: int
    width: int
    reach: int
    n_noise: int

    @property
    def n_centres(self):
        """Centres of a step."""
        return self.n_windows * self.width

    @property
    def n_contexts(self):
        """Words that a step looks at: its centres, and the reach to both sides."""
        return self.n_centres + 2 * self.reach


class Epoch(NamedTuple):
    """Kept words of an epoch, padded by words that are in no pair.

    Centre p stands at ``ids[p + reach]`` and is paired with the ``left[p]`` words before it
    and the ``right[p]`` words behind it.
    """

    ids: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    n_steps: int


class Group(NamedTuple):
    """What a few steps need, laid out at once; the first axis is the step.

    ``index`` names the rows of contexts, centres and negatives in the one table, ``mask`` says
    which centre and context are a pair, ``pairs`` how many pairs a context is in, and
    ``weights`` how much a negative counts for a context, or for all of them, with a minus sign.
    """

    index: torch.Tensor  # type: ignore[assignment]  # tuples have a method of this name
    mask: torch.Tensor
    pairs: torch.Tensor
    weights: torch.Tensor


def overlap_add(total, parts, width):
    """Add the windows' rows to the rows of the step that they stand for, in place.

    ``total`` is (..., n_contexts, n), ``parts`` (..., n_windows, width + 2 * reach, n). Windows
    begin ``width`` rows apart, and the last rows of each are the first of the next; ``width`` is at
    least twice the reach, so that no more than two windows share a row.
    """
    n_windows, length = parts.shape[-3:-1]
    total[..., : n_windows * width, :].unflatten(-2, (n_windows, width)).add_(parts[..., :width, :])
    tails = total[..., width:, :].unfold(-2, length - width, width)
    tails.add_(parts[..., width:, :].transpose(-1, -2))


def _kept(ids, keep, generator):
    """Which words stay; a large corpus is drawn in pieces, to need less memory."""
    mask = torch.empty(len(ids), dtype=torch.bool, device=ids.device)
    for first in range(0, len(ids), _DRAW):
        piece = ids[first : first + _DRAW]
        draw = torch.rand(len(piece), generator=generator, device=ids.device)
        torch.lt(draw, keep[piece], out=mask[first : first + _DRAW])
    return mask


def _room(starts, stops, window, sign, n_words):
    """Words of the same document to one side, up to ``window``."""
    room = torch.full((n_words,), window, dtype=torch.int16, device=starts.device)
    for distance in range(window):
        at = starts + distance if sign > 0 else stops - 1 - distance
        at = at[(at >= starts) & (at < stops)]
        if not len(at):
            break
        room[at] = distance
    return room


def draw_epoch(ids, offsets, keep, window, n_centres, n_shares, generator):
    """Drop frequent words, then draw how far each kept word looks: 1 to ``window`` alike.

    ``keep`` float32 (n_words,) is the probability that an occurrence is kept; None keeps all. The
    stream is padded to as many whole steps for each share, and ``n_steps`` are those of all shares.
    """
    if keep is not None:
        mask = _kept(ids, keep, generator)
        ids, n_before = ids[mask], torch.cumsum(mask, 0)
        offsets = torch.cat([offsets.new_zeros(1), n_before])[offsets]
    n_words = len(ids)
    starts, stops = offsets[:-1], offsets[1:]
    reach = torch.randint(
        1, window + 1, (n_words,), dtype=torch.int16, device=ids.device, generator=generator
    )
    n_steps = -(-n_words // (n_centres * n_shares)) * n_shares
    behind = n_steps * n_centres - n_words
    sides = [
        torch.nn.functional.pad(
            torch.minimum(_room(starts, stops, window, sign, n_words), reach), (0, behind)
        )
        for sign in (1, -1)
    ]
    ids = torch.nn.functional.pad(ids, (window, behind + window))
    return Epoch(ids, *sides, n_steps)


def group_size(shape):
    """Steps that are laid out at once."""
    cells = shape.n_centres * (shape.width + 2 * shape.reach) + shape.n_contexts * shape.n_noise
    return max(1, _LAYOUT // cells)


class Layout:
    """Lays out groups of steps.

    ``noise`` float64 (n_words,) is the probability of each word as a negative, ``negative`` how
    many a pair has on average, ``dtype`` the type of masks and weights: that of the table.
    """

    def __init__(self, shape, noise, negative, dtype=torch.float32):
        self.shape, self.dtype = shape, dtype
        self.n_words = len(noise)
        # So small a vocabulary is summed over: it stands for all draws, without their noise.
        self.whole = self.n_words <= shape.n_noise
        device = noise.device
        if self.whole:
            self.share = (negative * noise).to(dtype)
        else:
            share = negative / shape.n_noise
            self.share = torch.full((shape.n_noise,), share, dtype=dtype, device=device)
        self.levels = torch.cumsum(noise, 0) / noise.sum()
        self.window = (shape.n_windows, shape.width, shape.width + 2 * shape.reach)
        rows, columns = (torch.arange(n, dtype=dtype, device=device) for n in self.window[1:])
        self.distance = columns - shape.reach - rows[:, None]
        self.distance[self.distance == 0] = torch.inf  # a word is not in its own context

    def negatives(self, n_steps, generator):
        """Words that serve as negatives, one row a step."""
        if self.whole:
            words = torch.arange(self.n_words, device=self.levels.device)
            return words.expand(n_steps, -1)
        draw = torch.rand(
            n_steps,
            self.shape.n_noise,
            dtype=torch.float64,
            device=self.levels.device,
            generator=generator,
        )
        return torch.searchsorted(self.levels, draw, right=True).clamp_(max=self.n_words - 1)

    def __call__(self, epoch, first, n_steps, negatives):
        """Lay out ``n_steps`` steps from step ``first`` on, for given negatives."""
        shape = self.shape
        begin, end = first * shape.n_centres, (first + n_steps) * shape.n_centres
        ids = epoch.ids[begin : end + 2 * shape.reach].long()
        contexts = ids.unfold(0, shape.n_contexts, shape.n_centres)
        centres = ids[shape.reach : end - begin + shape.reach].view(n_steps, -1)
        left, right = (
            side[begin:end].view(n_steps, *self.window[:2], 1).to(self.dtype)
            for side in (epoch.left, epoch.right)
        )
        # Written as floats: torch compares far faster into them than into bools.
        mask = torch.ge(self.distance, -left, out=left.new_empty(n_steps, *self.window))
        mask *= torch.le(self.distance, right, out=torch.empty_like(mask))
        # From int32, for the same reason.
        same = torch.eq(
            centres[..., None].int(),
            negatives[:, None].int(),
            out=mask.new_empty(*centres.shape, negatives.shape[1]),
        )
        return self.group(contexts, centres, negatives, mask, same)

    def group(self, contexts, centres, negatives, mask, same):
        """Two tables: contexts in the first, centres and negatives in the second."""
        index = torch.cat([contexts, centres + self.n_words, negatives + self.n_words], 1)
        pairs = mask.new_zeros(*contexts.shape, 1)
        overlap_add(pairs, mask.sum(2)[..., None], self.shape.width)
        # A negative counts for a context as often as it is not the centre that it is paired with.
        weights = mask.new_zeros(*contexts.shape, negatives.shape[1])
        same = same.unflatten(1, self.window[:2])
        overlap_add(weights, torch.matmul(mask.transpose(-1, -2), same), self.shape.width)
        weights.sub_(pairs).mul_(self.share)
        return Group(index, mask, pairs[..., 0], weights)
