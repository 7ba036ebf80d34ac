"""Adapters of golden files about series and their steps."""

import torch

from skcontrast import functional
from skcontrast.objectives import HierarchicalContrast


def hierarchical(z1, z2, **params):
    """The mean loss of two views of series."""
    steps = torch.stack([z1, z2])
    return HierarchicalContrast(**params)(steps.amax(2), steps=steps).mean()


def across(z1, z2):
    """The contrast with other series, at the first scale."""
    return functional.contrast_within(torch.stack([z1, z2]).transpose(1, 2)).mean()


def along(z1, z2):
    """The contrast with other times."""
    return functional.contrast_within(torch.stack([z1, z2])).mean()


def ts2vec(case):
    """Both terms at the first scale, and the whole; a term that is 0 by definition has no gradient."""

    def both(z1, z2):
        params = {"alpha": case.number("alpha"), "temporal_unit": case.number("temporal_unit")}
        return hierarchical(z1, z2, **params)

    for name, loss in (("instance", across), ("temporal", along), ("hierarchical", both)):
        z1, z2 = case.leaves("z1", "z2")
        leaves = {f"{name}_grad_z1": z1, f"{name}_grad_z2": z2}
        leaves = {key: leaf for key, leaf in leaves.items() if key in case}
        case.check_loss(f"{name}_loss", loss(z1, z2), **leaves)


def comet(case):
    """Both terms at the first scale, and over all but the last of the scales, a quarter of each."""
    n_scales = case.arrays["z1"].shape[1].bit_length()  # of 2^k steps

    def across_scales(z1, z2):
        last = hierarchical(*(z.amax(1, keepdim=True) for z in (z1, z2)), alpha=1)
        return (n_scales * hierarchical(z1, z2, alpha=1) - last) / (n_scales - 1) / 4

    def along_scales(z1, z2):
        return n_scales * hierarchical(z1, z2, alpha=0) / (n_scales - 1) / 4

    losses = {"sample": across, "observation": along}
    losses |= {"sample_hier": across_scales, "observation_hier": along_scales}
    for name, loss in losses.items():
        z1, z2 = case.leaves("z1", "z2")
        case.check_loss(name, loss(z1, z2), **{f"grad1_{name}": z1, f"grad2_{name}": z2})
    reason = "each pair of an id is counted in one view alone, against the rows of the other view"
    keys = (f"grad{view}_{name}" for view in (1, 2) for name in ("id", "patient_nofactor"))
    case.waive(reason, "id", "patient_nofactor", *keys)
