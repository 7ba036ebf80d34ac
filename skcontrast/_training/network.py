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
    """

    def __init__(self, encoder, projector, views=()):
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.views = list(views)

    def forward(self, x, index):
        """Projections and embeddings of all views: each (V, n, d)."""
        batches = [x if view is None else view(x, index) for view in self.views]
        # One pass over the views together: half the kernel launches.
        h = self.encoder(concatenate(batches))
        shape = len(batches), len(x), -1
        return {"views": self.projector(h).reshape(shape), "embedding": h.reshape(shape)}

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
