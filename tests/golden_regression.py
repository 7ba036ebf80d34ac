"""Adapters of golden files with a target of numbers."""

import torch

from skcontrast.objectives import AdaptiveMargin, InfoNCE, YAware


def yaware(case):
    """The published code, where the columns of the kernel sum to one, not the rows.

    It sums over the 2n anchors and divides by n, and its NT-Xent adds both directions: both
    are twice the mean over the anchors.
    """
    tau = case.number("temperature")
    gamma = 1 / (2 * case.number("sigma") ** 2)
    target = case.constant("labels")
    for block_size in (None, 3):
        objective = YAware(tau, gamma, "column", block_size=block_size)
        z_i, z_j = case.leaves("z_i", "z_j")
        loss = 2 * objective(torch.stack([z_i, z_j]), target=target).mean()
        case.check_loss("loss", loss, grad_i=z_i, grad_j=z_j)
        views = torch.stack(case.leaves("z_i", "z_j"))
        case.check("ntxent_loss", 2 * InfoNCE(tau, block_size=block_size)(views).mean())


def adacon(case):
    """The published code on labels as they are; its rows come in at unit length.

    ``skcontrast`` normalises, so its gradient is the part of theirs that is tangent to the
    sphere.
    """
    settings = {"temperature": 1 / case.number("scale_s"), "margin": case.number("norm_val")}
    for block_size in (None, 5):
        features = case.leaf("features")  # (n, V, d)
        objective = AdaptiveMargin(**settings, block_size=block_size)
        loss = objective(features.transpose(0, 1), target=case.constant("dist")).mean()
        loss.backward()
        case.check("loss", loss)
        unit, gradient = features.detach(), case.constant("grad")
        radial = (gradient * unit).sum(-1, keepdim=True) * unit
        case.check("grad", features.grad, expected=gradient - radial)
