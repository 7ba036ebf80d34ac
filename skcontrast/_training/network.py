"""The network of a training: encoder and projector over the views of a batch."""

import copy

import torch
from torch import nn

from skcontrast._inputs.rows import concatenate

# Rows projected at a time, between epochs.
PROJECT_ROWS = 4096


class ViewNetwork(nn.Module):
    """Encoder and projector over the views of a batch.

    Each of the ``views`` is a ``view(x, index) -> x'``, or None for the rows as they are.
    ``gives_steps`` says whether the embedding of each step of a series is put out too, for
    objectives that require it.
    """

    gives_steps = False

    def __init__(self, encoder, projector, views=()):
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.views = list(views)

    def forward(self, x, index):
        """Projections and embeddings of all views, each (V, n, d), and what steps there are.

        ``steps`` (V, n, T, d) are those of a series before it is pooled, and ``step_mask``
        (V, n, T) says which of them a view has seen.
        """
        batches = [x if view is None else view(x, index) for view in self.views]
        # One pass over the views together: half the kernel launches.
        x = concatenate(batches)
        shape, made = (len(batches), len(x) // len(batches)), {}
        if self.gives_steps:
            steps = self.encoder.steps(x)
            h = self.encoder.pool(steps, x.mask)
            made["steps"] = steps.unflatten(0, shape)
            made["step_mask"] = (x.mask[:, 0] > 0).unflatten(0, shape)
        else:
            h = self.encoder(x)
        made["views"] = self.projector(h).unflatten(0, shape)
        return made | {"embedding": h.unflatten(0, shape)}

    @torch.no_grad()
    def project(self, rows):
        """Projection (n_samples, d) of all rows as they are, in evaluation mode."""
        training = self.training
        self.eval()
        index = torch.arange(rows.n_rows, device=rows.index_device)
        parts = [self.projector(self.encoder(rows.take(i))) for i in index.split(PROJECT_ROWS)]
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
