"""Published losses of several blocks of the same rows."""

import math

import torch
from golden_soft import dual_encoder_soft

from skcontrast.objectives import InfoNCE, OneToK, Pairwise, SigmoidPairs, Symile
from skcontrast.temperatures import Learned


def at_scale(objective, log_scale):
    """The module of an objective at a learned scale, 1 / tau."""
    built = objective.build(1).double()
    built.temperature.log_tau.data.fill_(-log_scale)
    return built


def dual_encoder(case):
    """CLIP and SigLIP as open_clip has them; focal weights by their formula."""
    log_scale, bias = case.number("log_scale"), case.number("bias")
    rule, gamma = Learned(minimum=1e-6), case.number("focal_gamma")
    objectives = {
        "clip": InfoNCE(rule, form="two_way"),
        "siglip": SigmoidPairs(temperature=rule, bias=bias),
        "focal": SigmoidPairs(gamma, temperature=rule, bias=bias),
    }
    for name, objective in objectives.items():
        for block_size in (None, 3):
            built = at_scale(objective.set_params(block_size=block_size), log_scale)
            x, y = case.leaves("x", "y")
            loss = built(torch.stack([x, y])).mean()
            grads = {f"{name}_grad_x": x, f"{name}_grad_y": y}
            case.check_loss(f"{name}_loss", loss, **grads)
            # The scale is exp(-log_tau).
            case.check(f"{name}_grad_log_scale", -built.temperature.log_tau.grad)
            if name != "clip":
                case.check(f"{name}_grad_bias", built.bias.grad)
    x, y = case.leaves("x", "y")
    pair = Pairwise(InfoNCE(math.exp(-log_scale), form="two_way"))
    case.check("clip_loss", pair(torch.stack([x, y])))
    dual_encoder_soft(case)


def one_to_k(case):
    """The balanced form: the mean over partners, not their sum, in the first half."""
    anchor, others = case.leaves("anchor", "others")
    views = torch.cat([anchor[None], others.transpose(0, 1)])
    loss = OneToK(temperature=case.number("temperature"))(views).mean()
    grads = {"balanced_grad_anchor": anchor, "balanced_grad_others": others}
    case.check_loss("loss_balanced", loss, **grads)
    published = ("loss", "grad_anchor", "grad_others", "loss_undivided")
    case.waive("the published sum weighs its first half K times as much", *published)


def check_on_the_sphere(case, key, loss, **leaves):
    """Compare a loss, and what its gradients by unit rows are along the sphere."""
    case.check(key, loss)
    loss.backward()
    for name, leaf in leaves.items():
        grad, z = case.constant(name), leaf.detach()
        case.check(name, leaf.grad, expected=grad - (grad * z).sum(1, keepdim=True) * z)


def symile(case):
    """Both forms; rows are of unit length, which the objective sees to itself."""
    names = [f"rep{v}" for v in range(4) if f"rep{v}" in case]
    scale = torch.tensor(case.number("logit_scale"), dtype=torch.float64, requires_grad=True)
    forms = {"n": ("permuted", "loss_n"), "nsq": ("all", "loss_n_squared")}
    for short, (negatives, key) in forms.items():
        views = case.leaves(*names)
        objective = Symile(negatives, temperature=Learned(minimum=1e-6))
        built = objective.build(1).double()
        built.temperature.log_tau = torch.nn.Parameter(-scale.detach().log())
        loss = built(torch.stack(views), order=case.constant("perms")).mean()
        grads = {f"grad_{short}_{name}": view for name, view in zip(names, views)}
        check_on_the_sphere(case, key, loss, **grads)
        # d loss / d scale = -(d loss / d log tau) / scale
        case.check(f"grad_{short}_scale", -built.temperature.log_tau.grad / scale.detach())
    if "clip_pairwise_sum_loss" not in case:
        return
    views = case.leaves(*names)
    tau = 1 / case.number("logit_scale")
    loss = 3 * Pairwise(InfoNCE(tau, form="two_way"))(torch.stack(views))  # of three pairs
    grads = {f"grad_clip_{name}": view for name, view in zip(names, views)}
    check_on_the_sphere(case, "clip_pairwise_sum_loss", loss, **grads)
