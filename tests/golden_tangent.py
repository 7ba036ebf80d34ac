"""Golden file of the tangent kernel: gradients, kernels, and projections."""

import numpy as np
import torch
from torch import nn

from skcontrast.kernels import TangentKernel
from skcontrast.kernels._gradients import Network, Projected, directions, summation


class GivenProjection:
    """A projection whose matrix is known, in place of a drawn one."""

    def __init__(self, R, sizes):
        self.n_projections = R.shape[1]
        self.parts = R.split(sizes)

    def piece(self, tensor, start, size, like):
        return self.parts[tensor][start : start + size].to(like)


def network_of(case):
    """The perceptron with one hidden layer that a case holds."""
    weights = {name: case.constant(name) for name in ("W1", "b1", "W2", "b2")}
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}[case.config["act"]]()
    (h, d), C = weights["W1"].shape, len(weights["b2"])
    module = nn.Sequential(nn.Linear(d, h), activation, nn.Linear(h, C))
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), weights.values()):
            parameter.copy_(value)
    return module


def tntk(case):
    """Trace and summed tangent kernels: the public kernel, its parts, and a projection.

    The file is in float32 up to the sums over parameters, and is compared to 1e-5 of the
    largest entry; here the gradients are taken in float64.
    """
    module, X = network_of(case), case.arrays["X"].astype(np.float64)
    network = Network(module, torch.float64, torch.device("cpu"))
    rows, C = torch.tensor(X), case.arrays["grads_per_class"].shape[0]
    sizes = [p.numel() for p in network.parameters.values()]
    P, K = case.arrays["proj_matrix"].shape
    given = GivenProjection(case.constant("proj_matrix") / P**0.5, sizes)

    def check(key, value):
        case.check(key, value, rtol=1e-5, atol=1e-5 * np.abs(case.arrays[key]).max())

    names = list(network.parameters)
    one, both = directions(C, "trace", rows), directions(C, "sum", rows)[0]
    gradients = [torch.cat(network.gradients(rows, v, names), 1) for v in one]
    check("grads_per_class", torch.stack(gradients))
    check("grads_sum", torch.cat(network.gradients(rows, both, names), 1))
    projected = Projected(network, one, given)
    check("proj_grads_per_class", torch.stack([F for (F,) in projected.factors(rows)]))

    test = case.number("n_test_first")
    for form, full, short in (("trace", "trNTK", "tr"), ("sum", "pNTK", "p")):
        options = {"form": form, "dtype": "float64"}
        for block_size in (None, 3):
            raw = TangentKernel(module, normalize=False, block_size=block_size, **options)
            check(full, raw(X))
            cosine = TangentKernel(module, block_size=block_size, **options)
            check(f"{short}_K0_cos", cosine(X[test:]))
            check(f"{short}_K1_cos", cosine(X[:test], X[test:]))
        K0, diagonal, _ = summation(network, rows, form, given).sums(rows)
        check(f"proj_{full}", K0)
        unit = K0 / diagonal.sqrt() / diagonal.sqrt()[:, None]
        for key, part in (("K0", unit[test:, test:]), ("K1", unit[:test, test:])):
            if f"proj_{short}_{key}_cos" in case:
                check(f"proj_{short}_{key}_cos", part)
    waived = {"config", "X", "n_test_first", "W1", "b1", "W2", "b2", "proj_matrix"}
    left = set(case.arrays) - case.compared - waived
    assert not left, f"{case.name}: not compared: {sorted(left)}"
