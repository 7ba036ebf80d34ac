"""Adapters of golden files with soft targets."""

import torch

from skcontrast.objectives import SoftTarget


def dialog2flow_soft(case):
    """Soft and hard targets, from vectors of the classes and from their cosines."""
    tau, target_tau = case.number("temperature"), case.number("soft_label_temperature")
    vectors = case.constant("label_embeddings")
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    for block_size in (None, 2):
        for kind, options in (
            ("soft", {"class_embeddings": vectors.numpy()}),
            ("soft", {"similarity": (unit @ unit.T).numpy()}),
            ("hard", {"target_temperature": 0.0}),
        ):
            settings = {"target_temperature": target_tau, "block_size": block_size, **options}
            a, b = case.leaves("anchors", "positives")
            loss = SoftTarget(tau, **settings)(
                torch.stack([a, b]), target=case.constant("labels")
            ).mean()
            case.check_loss(f"loss_{kind}", loss, **{f"grad_a_{kind}": a, f"grad_b_{kind}": b})
