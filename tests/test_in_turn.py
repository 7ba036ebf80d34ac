"""One network of blocks at a time, by the callback that docs/multiview.md shows."""

import re
from pathlib import Path

import numpy as np
import torch
from multiview_cases import encoder, latent
from skorch.callbacks import Callback

PAGE = Path(__file__).parents[1] / "docs" / "multiview.md"


def in_turn():
    """The class as the page defines it."""
    code = re.search(r"class InTurn.*?\n\n(?=\w)", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {"Callback": Callback}
    exec(code[0], names)
    return names["InTurn"]


def test_vectors_of_a_network_that_is_held_still_serve_a_whole_phase():
    first, second, _ = latent(60)
    made = []  # of each epoch, the vectors of both blocks

    class Vectors(Callback):
        def on_epoch_end(self, net, **kwargs):
            network = net.module_.eval()
            with torch.no_grad():
                batch = net.rows.take(torch.arange(60))
                made.append(network.encoder.slots(batch).numpy().copy())

    model = encoder(
        n_components=4, networks="linear", max_iter=8, callbacks=[in_turn()(2), Vectors()]
    )
    model.fit(np.hstack([first, second]))
    assert len(made) == 8
    for epoch in range(1, 8):
        learned = epoch // 2 % 2
        before, after = made[epoch - 1], made[epoch]
        assert (before[1 - learned] == after[1 - learned]).all()
        assert (before[learned] != after[learned]).any()
