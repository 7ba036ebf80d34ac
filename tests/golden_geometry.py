"""Adapters of golden files for rows that are no points of a sphere."""

import math

import numpy as np
import torch

from skcontrast import functional, geometry
from skcontrast.objectives import Lorentz
from skcontrast.temperatures import Learned


def mcinfonce(case):
    """The loss of given draws; the sampler is ours, and held to the exact mean cosine.

    ``elk_loss_kappa1`` is of another method. The third case has no negatives of its own: they are
    the positives of the row before.
    """
    names = ["samples_ref", "samples_pos"] + ["samples_neg"] * ("samples_neg" in case)
    leaves = dict(zip(names, case.leaves(*names)))
    kappa = case.leaf("kappa_loss").reshape(1).detach().requires_grad_()
    ref, pos = leaves["samples_ref"], leaves["samples_pos"]  # (S, n, 1, d), (S, n, P, d)
    neg = leaves.get("samples_neg", pos.roll(1, dims=1))
    positive = kappa * (ref * pos).sum(-1)  # (S, n, P)
    negative = (kappa * (ref * neg).sum(-1)).logsumexp(-1, keepdim=True) - math.log(neg.shape[2])
    shape = len(ref), -1
    loss = functional.draws_contrast(
        positive.reshape(shape), negative.expand_as(positive).reshape(shape)
    ).mean()
    case.check_loss(
        "loss", loss, **{f"grad_{name}": leaf for name, leaf in leaves.items()}, grad_kappa=kappa
    )
    case.waive("a number that was put in", "kappa_loss")
    case.waive("another method", *(key for key in case.arrays if key.startswith("elk_")))


def meru(case):
    """Distances and cones as they are, and the whole loss with one scale for both sides.

    The text, a, is the general row. Its guard of 1e-8 in the arc cosine is in the cones too; ours
    of the distance keeps more digits.
    """
    a, b, curvature = case.arrays["tangent_a"], case.arrays["tangent_b"], case.number("curv")
    x, y = geometry.exp_map(a, curvature), geometry.exp_map(b, curvature)
    case.check("hyp_a", x)
    case.check("hyp_b", y)
    case.check("log_of_hyp_a", geometry.log_map(x, curvature))
    case.check("pairwise_dist", geometry.lorentz_distance(a, b, curvature))
    excess = functional.lorentz_excess(torch.tensor(x), torch.tensor(y), curvature)
    case.check("pairwise_inner", -(1 + excess) / curvature)
    text, image = case.leaves("tangent_a", "tangent_b")
    objective = Lorentz(entailment=case.number("entail_weight"), temperature=Learned(minimum=1e-6))
    built = objective.build(len(a)).double()
    built.log_curvature.data.fill_(case.number("log_curv"))
    built.temperature.log_tau.data.fill_(-case.number("log_logit_scale"))
    loss = built(torch.stack([image, text])).mean()
    case.check("model_loss", loss)
    loss.backward()
    case.check("grad_text_tangent", text.grad)
    case.check("grad_image_tangent", image.grad)
    case.check("grad_log_curv", built.log_curvature.grad)
    case.check("grad_log_scale", -built.temperature.log_tau.grad)
    both = [case.number(f"grad_log_{side}_alpha") for side in ("visual", "textual")]
    case.check("grad_log_visual_alpha", built.log_scale.grad, expected=sum(both))
    case.waive("added up above: one scale serves both sides", "grad_log_textual_alpha")
    cones = functional.cone_violation(*(torch.tensor(z) for z in (x, y)), curvature)
    angle, aperture = case.arrays["oxy_angle_ab"], case.arrays["half_aperture_a"]
    case.check("oxy_angle_ab", cones, expected=np.maximum(angle - aperture, 0))
