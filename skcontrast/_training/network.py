"""The network of a training: encoder and projector over the views of a batch."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from skcontrast._draws import initial_seed
from skcontrast._inputs.rows import concatenate
from skcontrast._training.chunks import in_chunks
from skcontrast._training.devices import seeded
from skcontrast._training.ranks import Alone

# Rows projected at a time, between epochs.
PROJECT_ROWS = 4096


class ViewNetwork(nn.Module):
    """Encoder and projector over the views of a batch.

    Each of the ``views`` is a ``view(x, index) -> x'``, or None for the rows as they are.
    ``gives_steps`` says whether the embedding of each step of a series is put out too, for
    objectives that require it, and ``gives_rows`` whether the rows and what was made of them
    are; ``counts_steps`` whether the number of the training step is. ``own_views`` are made for
    single terms of an objective, by term. ``momentum``, where there is one, makes keys: of the
    shared views where ``gives_keys``, and of the rows as they are for those ``taught`` terms that
    have a view of their own. ``chunk_size`` rows are encoded at a time, all with None, and each of
    ``ranks`` has its share of them.
    """

    gives_steps = gives_rows = gives_keys = counts_steps = False
    taught: Sequence = ()
    chunk_size = None
    # Parts that stay in evaluation mode.
    frozen: Sequence = ()

    def __init__(self, encoder, projector, views=()):
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.views = list(views)
        self.own_views = {}
        self.ranks, self.momentum = Alone(), None

    def train(self, mode=True):
        """Set the mode of training, or of evaluation, of all parts that are not frozen."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, x, index, step=0):
        """Projections and embeddings of all views, each (V, n, d), and what steps there are.

        ``steps`` (V, n, T, d) are those of a series before it is pooled, and ``step_mask``
        (V, n, T) says which of them a view has seen. ``gates`` (V, n, E) are those of experts.
        ``rows`` are the batch and ``inputs`` the V batches that views made of it; with them goes
        the number of the ``step``. ``own`` holds the same of each of ``own_views``, with V = 1, or
        2 for a term that reads the whole rows first. ``keys`` (V, n, d) are projections by the
        momentum network.
        """
        self.ranks.begin(step)
        made = self._seen(x, index, self.views) if self.views else {"views": None}
        if self.counts_steps:
            made["step"] = step
        if self.own_views:
            # A pass and draws of their own: all else is as it would be without them. The seed is
            # another one in each step, and the same again where a training goes on.
            with seeded(initial_seed() + 1 + step, x.device):
                made["own"] = {
                    term: self._seen(x, index, [None] * term.reads_whole + [view])
                    for term, view in self.own_views.items()
                }
                for term in self.taught:
                    made["own"][term]["keys"] = self.momentum.keys(x, 1, x)
        return made

    def stepped(self):
        """Let the momentum network follow, after a step of the optimizer."""
        if self.momentum is not None:
            self.momentum.follow({"encoder": self.encoder, "projector": self.projector})

    def _seen(self, x, index, views):
        """What the network makes of these views of a batch."""
        rows, batches = x, [x if view is None else view(x, index) for view in views]
        # One pass over the views together: half the kernel launches.
        x = concatenate(batches)
        made = {"rows": rows, "inputs": batches} if self.gives_rows else {}
        if self.gives_keys and views is self.views:
            made["keys"] = self.momentum.keys(x, len(batches), rows)
        if hasattr(self.encoder, "slots"):
            return made | self._of_blocks(x)
        shape = len(batches), len(x) // len(batches)
        if self.gives_steps:
            steps, h = self._encoded(self._of_steps, x)
            made["steps"] = steps.unflatten(0, shape)
            made["step_mask"] = (x.mask[:, 0] > 0).unflatten(0, shape)
        elif hasattr(self.encoder, "gates"):
            h, gates = self._gated(x, rows, len(batches))
            made["gates"] = gates.unflatten(0, shape)
        else:
            h = self._encoded(self.encoder, x)
        return made | self._projected(h.unflatten(0, shape))

    def _gated(self, x, rows, n_views):
        """Embeddings by experts, and their gates: a given route is that of the row, in any view."""
        gates = self.encoder.gates
        if self.encoder.given:
            routes = gates(rows).repeat(n_views, 1)
            return self._encoded(self.encoder, x, routes), routes
        return self._encoded(lambda part: (self.encoder(part, g := gates(part)), g), x)

    def _of_blocks(self, x):
        """The same of rows of several blocks, each of which is a view of them."""
        h = self._encoded(self.encoder.slots, x, dim=1)
        return self._projected(h) | {"present": x.present}

    def _of_steps(self, x):
        """Embeddings of the steps of series, and of the series."""
        steps = self.encoder.steps(x)
        return steps, self.encoder.pool(steps, x.mask)

    def _encoded(self, function, x, *beside, dim=0):
        return self.ranks.encode(function, x, self.chunk_size, *beside, dim=dim)

    def _projected(self, h):
        """Embeddings (V, n, d), and what the projector makes of them."""
        # Of the very tensor: objectives may ask for gradients at the embedding.
        z = in_chunks(self.projector, h.flatten(0, 1), self.chunk_size)
        return {"views": z.unflatten(0, h.shape[:2]), "embedding": h}

    @torch.no_grad()
    def project(self, rows):
        """Projection (n_samples, d) of all rows as they are, in evaluation mode."""
        training = self.training
        self.eval()
        index = torch.arange(rows.n_rows, device=rows.index_device)
        encode = getattr(self.encoder, "shared", self.encoder)
        parts = [self.projector(encode(rows.take(i))) for i in index.split(PROJECT_ROWS)]
        self.train(training)
        return torch.cat(parts)

    def is_random(self, x):
        """Whether two passes of the batch ``x`` differ, by dropout or noise of its own."""
        parts = [part for part in self.modules() if isinstance(part, nn.modules.dropout._DropoutNd)]
        if any(part.p > 0 for part in parts):
            return True
        # A copy: a pass in training mode moves the statistics of a batch normalisation.
        probe = copy.deepcopy(self).to(x.device).train()
        with torch.no_grad():
            first, second = (probe.projector(probe.encoder(x)) for _ in range(2))
        return not torch.equal(first, second)
