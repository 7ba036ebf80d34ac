"""Golden cases of what makes batches large, and of weights that are set each step."""

import torch
from torch import nn

from skcontrast._training.network import ViewNetwork
from skcontrast.functional import min_norm_pair
from skcontrast.objectives import InfoNCE


def gradcache(case):
    """Gradients of the weights, of whole batches and of batches in chunks."""
    x = torch.stack([case.constant("x0"), case.constant("x1")])
    for size in (None, int(case.number("chunk")), 1):
        layers = [nn.Linear(*case.arrays[name].shape[::-1], bias=False) for name in ("W1", "W2")]
        for layer, name in zip(layers, ("W1", "W2")):
            layer.weight = nn.Parameter(case.constant(name))
        encoder = nn.Sequential(layers[0], nn.Tanh(), layers[1])
        network = ViewNetwork(encoder, nn.Identity(), [lambda x, i: x[0], lambda x, i: x[1]])
        network.chunk_size = size
        made = network(x, None)
        loss = InfoNCE(temperature=case.number("temperature"))(**made).mean()
        case.check_loss("loss", loss, grad_W1=layers[0].weight, grad_W2=layers[1].weight)


def min_norm(case):
    """At the two ends, and of equal gradients, the reference gives 0.001 or 0.999."""
    first, second = case.constant("grad_first"), case.constant("grad_second")
    share = min_norm_pair(first, second)
    assert {0, 1} <= set(share.tolist())
    at_ends = {0: 0.001, 1: 0.999}
    expected = torch.where((first == second).all(1), 1, share).tolist()  # any share serves these
    case.check("weight_first", [at_ends.get(a, a) for a in expected])
    case.check("squared_norm", torch.lerp(second, first, share[:, None]).square().sum(-1))
    case.waive("they are what is read", "grad_first", "grad_second")
