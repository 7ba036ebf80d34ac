"""Adapters of golden files with soft targets."""

import torch
from golden_pairs import with_products

from skcontrast.functional import normalize
from skcontrast.objectives import CrossMixup, SoftTarget
from skcontrast.temperatures import Learned


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


def congrat(case):
    """Logits are those of unit rows; similarities are those of rows that are classes of their own.

    The thick-tailed weights fall with the rank of a similarity, which is not offered.
    """
    alpha, n = case.number("alpha"), len(case.arrays["logits"])
    options = {"similarity": case.arrays["sims"], "scaling": "linear"}
    for block_size in (None, 3):
        for key, share in (("loss", alpha), ("loss_clip", 0.0)):
            logits = case.leaf("logits")
            small = 0.9 / logits.detach().norm(dim=0).max().item()
            y = with_products(small * logits.T)
            x = torch.eye(n, n + 1, dtype=y.dtype)
            objective = SoftTarget(small, alpha=share, block_size=block_size, **options)
            loss = objective(torch.stack([x, y]), target=torch.arange(n)).mean()
            if key == "loss" and case.number("sim_weights") == "identity":
                loss.backward()
                # The reference has 1 - alpha in float32.
                case.check(key, loss, rtol=1e-7)
                case.check("grad", logits.grad, rtol=1e-6, atol=1e-8)
            elif key == "loss_clip":
                case.check(key, loss)
    if case.number("sim_weights") != "identity":
        case.waive("the similarities are weighed by their ranks", "loss", "grad")


def m3col(case):
    """Mixtures; and the second block's own similarities as the target, held constant here."""
    tau = case.number("softclip_temp")
    for block_size in (None, 3):
        a, b = case.leaves("a", "b")
        objective = SoftTarget(tau, tau, similarity="view", block_size=block_size)
        loss = objective(torch.stack([a, b])).mean()
        case.check_loss("softclip_loss", loss, grad_softclip_preds=a)
    case.waive("the reference sends a gradient through the target too", "grad_softclip_targs")
    mixtures(case)


def mixtures(case):
    """The reference loses the share of a row that is its own partner; it is taken off here."""
    tau, share, partner = case.number("mixco_temp"), case.constant("betas"), case.constant("perm")
    n = len(partner)
    for block_size in (None, 3):
        mixed, b = case.leaves("mixed_a", "b")
        x, y = normalize(mixed), normalize(b)
        objective = CrossMixup(block_size=block_size)
        loss = objective.contrast(x, y, partner, share, tau).mean()
        s = x @ y.T / tau
        own = -(s.log_softmax(1).diagonal() + s.log_softmax(0).diagonal()) / 2
        lost = torch.where(partner == torch.arange(n), share, 0)
        loss = loss - (lost * own).mean()
        case.check_loss("mixco_loss", loss, grad_mixed_a=mixed, grad_b=b)


def dual_encoder_soft(case):
    """The contrast, and the distillation of a teacher's similarities between two blocks."""
    prior = torch.stack([case.constant("teacher_x"), case.constant("teacher_y")])
    target_tau = 1 / case.number("teacher_scale")
    for block_size in (None, 3):
        for key, alpha in (("clip", 0.0), ("distill", 1.0)):
            x, y = case.leaves("x", "y")
            options = {"similarity": "prior", "alpha": alpha, "block_size": block_size}
            built = SoftTarget(Learned(minimum=1e-6), target_tau, **options).build(1).double()
            built.temperature.log_tau.data.fill_(-case.number("log_scale"))
            loss = built(torch.stack([x, y]), prior=prior).mean()
            grads = {f"{key}_grad_x": x, f"{key}_grad_y": y}
            case.check_loss(f"{key}_loss", loss, **grads)
            # The scale is 1 / tau.
            case.check(f"{key}_grad_log_scale", -built.temperature.log_tau.grad)
