"""Adapters of golden files with class labels."""

import torch

from skcontrast.objectives import SupCon


def supcon(case):
    """Supervised contrastive loss, in the conventions of the published codes.

    HobbitLong's code multiplies by tau / base_temperature, and with one view keeps anchors
    without a positive in its mean; pytorch-metric-learning leaves them out, as
    ``skcontrast`` does. L_in has no code and follows the paper.
    """
    tau = case.number("temperature")
    target = case.constant("labels")
    for block_size in (None, 5):
        for prefix, options in (
            ("two_view", {}),
            ("two_view_contrast_one", {"anchors": "first"}),
            ("two_view_Lin", {"form": "inside"}),
        ):
            objective = SupCon(tau, **options, block_size=block_size)
            z0, z1 = case.leaves("z0", "z1")
            loss = objective(torch.stack([z0, z1]), target=target).mean()
            grads = {f"{prefix}_grad_z0": z0, f"{prefix}_grad_z1": z1}
            case.check_loss(f"{prefix}_loss", loss, **grads)
            if not options:
                case.check("two_view_loss_basetemp007", loss * tau / 0.07)
        z0 = case.leaf("z0")
        loss = SupCon(tau, block_size=block_size)(z0[None], target=target).mean()
        case.check("one_view_loss_pml", loss)
        counts = (target[:, None] == target).sum(1)
        share = (counts > 1).double().mean()  # of the anchors that have a positive
        case.check_loss("one_view_loss", loss * share, one_view_grad_z0=z0)
