"""Golden files of the objectives with a kernel on side information."""

import torch

from skcontrast import functional
from skcontrast.kernels import RBF, Cosine, GammaExponential, Linear, Polynomial
from skcontrast.objectives import ConditionalInfoNCE, DecoupledUniformity

# Names in the published code.
MODES = {"cl-infonce": "weak", "weac-infonce": "fair", "hardnegatives": "hard"}


def published_kernel(name, width):
    """The kernel that the published code calls ``name``, with its ``temp_z``."""
    return {
        "cosine": Cosine(),
        "RBF": RBF(gamma=1 / width),
        "laplacian": GammaExponential(power=1, gamma=1 / width),
        "linear": 1 / width * Linear(),
        "polynomial": 1 / width * Polynomial(degree=3, gamma=1, coef0=0),
    }[name]


def cclk(case):
    """CCL-K: the published code, ``form="reference"``, in loss, gradients and weights.

    The paper's form has no published implementation; laws are tested elsewhere.
    """
    config = case.config
    objective = ConditionalInfoNCE(
        mode=MODES[config["mode"]],
        kernel=published_kernel(config["dist"], config["temp_z"]),
        regularization=config["lam"],
        temperature=config["temp"],
        form="reference",
        clip=config["clip"],
        inverse_gradient=config["invg"],
    )
    z = case.leaves("z1", "z2")
    first = case.leaf("cond1")
    # One tensor for both views where they have the same condition, as upstream.
    second = first if config["same"] else case.leaf("cond2")
    if objective.mode == "hard":
        given = {"embedding": torch.stack([first, second])}
    else:
        given = {"condition": first}
    gradients = {"grad_z1": z[0], "grad_z2": z[1]}
    if "grad_cond" in case:
        gradients["grad_cond"] = first
    case.check_loss("loss", objective(torch.stack(z), **given).mean(), **gradients)
    if not config["invg"]:
        assert first.grad is None, "the weights are held constant"
    views, kernel = torch.stack(z), objective.kernel.build
    weights = objective.smoothers(views, kernel, **given)
    for key, A, rows in zip(("x", "y"), (weights[0], weights[-1]), (first, second)):
        case.check(f"W_{key}", A)
        rows = rows.detach()
        K = kernel(rows)(rows, rows)
        unit = K.masked_fill(torch.eye(len(K), dtype=torch.bool), 1)
        case.check(f"KZ_{key}", unit)


def decoupled_uniformity(case):
    """Decoupled uniformity, without a prior and with one, through the objective."""
    config = case.config
    kernel = None
    if config["kernel"] == "rbf":
        kernel = RBF(gamma=1 / (2 * config["sigma"] ** 2))
    elif config["kernel"] == "cosine":
        kernel = Cosine()
    # A strength of None or 0 is one over the root of n upstream.
    objective = DecoupledUniformity(
        t=config["t"], kernel=kernel, regularization=config["lam"] or None
    )
    z = case.leaf("z")  # (n, V, d)
    views = z.transpose(0, 1)
    given = {} if kernel is None else {"prior": case.constant("prior")}
    case.check_loss("loss", objective(views, **given), grad_z=z)
    if kernel is not None:
        prior = given["prior"].double()
        case.check("K", kernel.build(prior)(prior, prior))
        case.check("alpha", objective.smoother(prior, kernel.build))
        given["kernel"] = kernel.build
    centroids = objective.centroids(views, **given)
    if kernel is not None:
        case.check("centroids", centroids)
    case.check("align_metric", -centroids.square().sum(-1).mean())
    case.check("loss", functional.log_mean_gaussian(centroids, config["t"]))
