"""Adapters of golden files about series and their steps."""

import numpy as np
import torch
from torch import nn

from skcontrast import functional
from skcontrast._inputs.convolutions import N_KERNELS, Convolutions, spread_dilations
from skcontrast.inspection import infer_between
from skcontrast.objectives import (
    BrownianBridge,
    HierarchicalContrast,
    InfoNCE,
    Reconstruction,
    SupCon,
)
from skcontrast.objectives._future import _Ahead


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
    """Both terms at the first scale, and the whole; a term that is 0 throughout has no gradient."""

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


def tstcc(case):
    """Futures sought among predictions, both ways; the published sum adds the two."""
    temperature = case.number("contextual_temperature")
    t, n_steps = case.number("t"), len(case.arrays["weight"])
    z1, z2, context1, context2 = leaves = case.leaves("z1", "z2", "context1", "context2")
    head = _Ahead(n_steps, 1)
    head.weight, head.bias = (nn.Parameter(case.constant(key)) for key in ("weight", "bias"))

    def cross(z, context):
        future = z[:, :, t + 1 : t + 1 + n_steps].permute(2, 0, 1)  # (K, n, c)
        loss, valid = functional.future_contrast(future, head(context[None])[0])
        assert valid.all()
        return loss.mean()

    there, back = cross(z2, context1), cross(z1, context2)
    contextual = InfoNCE(temperature)(torch.stack([context1, context2])).mean()
    case.check("cross_loss_12", there)
    case.check("cross_loss_21", back)
    case.check("contextual_loss", contextual)
    grads = dict(zip(("grad_z1", "grad_z2", "grad_context1", "grad_context2"), leaves))
    total = there + back + 0.7 * contextual
    case.check_loss("total", total, **grads, grad_weight=head.weight)


def time_control(case):
    """The paper's formula, and both losses of the published code with their pins."""
    names = ("z0", "zt", "zT")
    times = torch.stack([case.constant(name) for name in ("t0", "t", "T")])

    def loss(z, **params):
        # Series of which nothing but the three steps is seen.
        steps = torch.zeros(*z[0].shape[:1], case.number("length"), z[0].shape[1]).double()
        mask = torch.zeros(steps.shape[:2], dtype=torch.bool)
        every = torch.arange(len(steps))
        for part, at in zip(z, times):
            steps = steps.index_put((every, at), part)
            mask[every, at] = True
        # Pins are for ends of the whole series.
        mask[:, [0, -1]] = True
        objective = BrownianBridge(**params)
        given = {"steps": steps[None], "step_mask": mask[None], "times": times}
        return objective(steps[None].amax(2), **given).mean()

    z = case.leaves(*names)
    grads = {f"paper_grad_{name}": leaf for name, leaf in zip(names, z)}
    case.check_loss("paper_loss", loss(z), **grads)
    logits, _ = BrownianBridge()._logits(*z, *times.double())
    case.check("paper_logits", logits)
    eps = case.number("eps")
    for key, contrast in (("t", "ends"), ("T", "end")):
        plain = loss(z, contrast=contrast, eps=eps)
        case.check(f"loss_contrast_{key}", plain[None])
        z = case.leaves(*names)
        pinned = loss(z, contrast=contrast, eps=eps, pin=1.0)
        case.check("pin_loss", pinned - plain)
        grads = {f"grad_{name}_{key}": leaf for name, leaf in zip(names, z)}
        case.check_loss(f"loss_contrast_{key}_pinned", pinned[None], **grads)


def simmtm(case):
    """The contrast is SupCon with a series as class, times the number of masked copies."""
    tau, n_masked = case.number("temperature"), case.number("n_masked")
    z = case.leaf("series_embedding")
    copies = z.unflatten(0, (n_masked + 1, -1))  # (V, n, d)
    loss = SupCon(tau)(copies, target=torch.arange(copies.shape[1])).mean()
    case.check_loss("contrastive_loss", n_masked * loss, contrastive_grad=z)
    unit = functional.normalize(z)
    case.check("similarity", unit @ unit.T)
    z, points = case.leaves("series_embedding", "point_embedding")
    case.check("rebuild_weights", functional.neighbor_weights(z, tau))
    # As one view: every row is rebuilt, and not the first ones alone.
    seen = torch.ones(1, *points.shape[:2]).double()
    rebuilt = Reconstruction()._of_neighbors(z[None], points[None], seen, tau)[0][0]
    case.check("rebuilt", rebuilt)
    (rebuilt * case.constant("cotangent")).sum().backward()
    case.check("rebuilt_grad_series", z.grad)
    case.check("rebuilt_grad_point", points.grad)


def tnc(case):
    """The loss of logits that a scorer of pairs of windows gives."""
    near, far = case.leaves("logit_neighbor", "logit_other")
    loss = functional.positive_unlabelled(near, far, case.number("w")).mean()
    case.check_loss("loss", loss, grad_logit_neighbor=near, grad_logit_other=far)


def cebra(case):
    """Both losses, and the slope for a learned temperature."""
    names = ("ref", "pos", "neg")
    tau = case.number("temperature")
    for similarity in ("cosine", "euclidean"):
        for block_size in (None, 2):
            z = case.leaves(*names)
            loss = functional.contrast_apart(*z, tau, similarity, block_size).mean()
            grads = {f"{similarity}_grad_{name}": leaf for name, leaf in zip(names, z)}
            case.check_loss(f"{similarity}_loss", loss, **grads)
    log_inverse = torch.tensor(-np.log(tau), requires_grad=True)
    loss = functional.contrast_apart(*case.leaves(*names), 1 / log_inverse.exp()).mean()
    key = "learned_grad_log_inverse_temperature"
    case.check_loss("learned_loss", loss, **{key: log_inverse})
    reason = "positives that are chosen by behaviour are not offered"
    case.waive(reason, "time_delta_positive", "mixed_positive")


def contrastive_planning(case):
    """The path solves the whole system, and is the published one."""
    ends = case.arrays["psi_s"], case.arrays["psi_g"]
    n_steps = int(case.number("n_wypt"))
    path = infer_between(*ends, n_steps, case.arrays["A"], case.number("c"))
    case.check("waypoints", path)
    case.check("eta", case.arrays["precision"] @ path.ravel())


def minirocket(case):
    """Dilations, and the features of given biases; float32, as the published code is."""
    X = case.arrays["X"].astype(np.float32)
    counts = case.arrays["n_features_per_dilation"]
    dilations, own_counts = spread_dilations(X.shape[1], int(counts.sum()))
    case.check("dilations", dilations)
    case.check("n_features_per_dilation", own_counts)
    model = Convolutions()
    model.dilations_, model.counts_ = dilations, own_counts
    model.channels_ = np.ones((len(dilations), N_KERNELS, 1), dtype=bool)
    model.biases_ = case.arrays["biases"].astype(np.float32)
    features = model.transform(X[:, None], np.ones(X.shape, dtype=bool))
    case.check("features", features, atol=1e-6)
