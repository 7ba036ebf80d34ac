"""Optimizers do what torch's own do, by one kernel and without torch's compiler."""

import subprocess
import sys

import pytest
import torch

from skcontrast.optimizers import SGD, AdamW

OF_TORCH = [
    (AdamW(weight_decay=0.1), torch.optim.AdamW, {}),
    (SGD(weight_decay=0.1), torch.optim.SGD, {"momentum": 0.9}),
    (SGD(momentum=0.0, weight_decay=0.1), torch.optim.SGD, {"momentum": 0.0}),
    (SGD(nesterov=True, weight_decay=0.1), torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
]


def steps(build):
    """Parameters, and the state, after five steps along gradients from one generator."""
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(s, generator=generator)) for s in ((7, 5), (3,))]
    optimizer = build(parameters)
    for _ in range(5):
        optimizer.zero_grad()
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        assert optimizer.step() is None
    return parameters, optimizer.state_dict()


@pytest.mark.parametrize("ours, theirs, options", OF_TORCH, ids=str)
def test_steps_are_those_of_torch(ours, theirs, options):
    def build(parameters):
        groups = [{"params": [parameters[0]], "weight_decay": 0.1}, {"params": [parameters[1]]}]
        return theirs(groups, lr=0.01, weight_decay=0.0, **options)

    parameters, state = steps(lambda parameters: ours.build(parameters, 0.01))
    expected, of_torch = steps(build)
    torch.testing.assert_close(parameters, expected, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(state["state"], of_torch["state"], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtypes", [(torch.float32,) * 3, (torch.float32, torch.float64) * 2])
def test_parameters_without_a_gradient_and_of_two_types(dtypes):
    def trained(build):
        generator = torch.Generator().manual_seed(0)
        shapes = (4, 3), (3,), (3, 2), (2,)
        parameters = [
            torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype))
            for shape, dtype in zip(shapes, dtypes)
        ]
        optimizer = build(parameters)
        for step in range(6):
            for number, p in enumerate(parameters):
                p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)
                if step % 3 == number:
                    p.grad = None
            optimizer.step()
        return [p.detach() for p in parameters], optimizer.state_dict()["state"]

    def of_torch(parameters):
        wide, narrow = ([p for p in parameters if (p.ndim > 1) == d] for d in (True, False))
        groups = [{"params": wide, "weight_decay": 0.1}, {"params": narrow, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=0.01, fused=True)

    found = trained(lambda parameters: AdamW(weight_decay=0.1).build(parameters, 0.01))
    torch.testing.assert_close(found, trained(of_torch), rtol=0, atol=0)


@pytest.mark.parametrize("ours", [AdamW(), SGD()], ids=str)
def test_one_kernel_and_a_state_that_can_be_loaded(ours):
    parameters, state = steps(lambda parameters: ours.build(parameters, 0.01))
    optimizer = ours.build(parameters, 0.5)
    assert all(group["fused"] for group in optimizer.param_groups)
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert optimizer.state_dict()["state"].keys() == state["state"].keys()


def test_a_fit_does_not_load_the_compiler_of_torch():
    code = (
        "import sys; import numpy as np; from skcontrast import ContrastiveEncoder;"
        "X = np.random.default_rng(0).normal(size=(20, 3));"
        "ContrastiveEncoder(2, max_iter=1, batch_size=10).fit(X).transform(X);"
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
