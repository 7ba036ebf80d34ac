"""Adapters of golden files about temperatures that follow the training."""

import torch

from skcontrast.objectives import DecoupledContrastive, InfoNCE
from skcontrast.temperatures import Individual, ModelAware


def macl(case):
    """Model-aware temperature: value and gradient; lightly adds 1e-8 in the weight."""
    tau0, alpha, threshold = (case.number(name) for name in ("tau0", "alpha", "A0"))
    for block_size in (None, 3):
        rule = ModelAware(tau=tau0, alpha=alpha, threshold=threshold)
        z0, z1 = case.leaves("z0", "z1")
        views = torch.stack([z0, z1])
        loss = InfoNCE(rule, block_size=block_size)(views).mean()
        case.check_loss("loss", loss, grad_z0=z0, grad_z1=z1)
        case.check("loss_lightly", loss, rtol=1e-6)
        cosines = torch.cosine_similarity(z0, z1).detach()
        case.check("tau", rule.build(1)(cosines, None))
        # The same gradient, from the decoupled loss at that temperature.
        z0, z1 = case.leaves("z0", "z1")
        DecoupledContrastive(rule)(torch.stack([z0, z1])).mean().backward()
        case.check("grad_z0", z0.grad)
        case.check("grad_z1", z1.grad)


def sogclr(case):
    """Moving averages for each sample at a fixed temperature."""
    rule = Individual(
        tau=case.number("tau_init"),
        gamma=case.number("gamma"),
        rho=0.0,
        learning_rate=0.0,
        value="surrogate",
        first_visit="batch",
    )
    _walk(case, rule)


def isogclr(case):
    """The same with a temperature for each sample, and the momentum of its gradient."""
    rule = Individual(
        tau=case.number("tau_init"),
        gamma=case.number("gamma"),
        rho=case.number("rho"),
        learning_rate=case.number("eta"),
        momentum=case.number("beta"),
        minimum=case.number("tau_min"),
        maximum=case.number("tau_max"),
        value="surrogate",
        first_visit="batch",
    )
    _walk(case, rule)


def _walk(case, rule):
    """Three training steps in LibAUC's convention.

    The reference decides by batch which visit is the first, and reports a surrogate whose
    gradient is that of the objective; both are options of the rule.
    """
    for block_size in (None, 3):
        built = InfoNCE(rule, block_size=block_size).build(int(case.number("N"))).double()
        state = built.temperature
        # The float32 buffer is filled again, in float64.
        state.tau.fill_(rule.tau)
        steps = sorted({key.split("_")[0] for key in case.arrays if key.endswith("_z0")})
        for step in steps:
            index = case.constant(f"{step}_index")
            state.settings["gamma"] = case.number(f"{step}_gamma_used")
            case.check(f"{step}_tau_used", state.tau[index])
            z0, z1 = case.leaves(f"{step}_z0", f"{step}_z1")
            loss = built(torch.stack([z0, z1]), index=index).mean()
            grads = {f"{step}_grad_z0": z0, f"{step}_grad_z1": z1}
            case.check_loss(f"{step}_loss", loss, **grads)
            case.check(f"{step}_u_after", state.log_u.exp())
            if f"{step}_tau_after" in case:
                case.check(f"{step}_tau_after", state.tau)
                case.check(f"{step}_taugrad_momentum_after", state.velocity)
