"""Parameters that cannot be: one sentence with the name, the value and what to type."""

import re

import numpy as np
import pytest
import torch
from bad_input import SPARSE, X, Y, assert_refused, assert_sound
from instances import exported_estimators
from torch import nn

from skcontrast._component import (
    Integral,
    Interval,
    InvalidParameterError,
    Real,
    check_parameters,
)
from skcontrast.networks import MLP
from skcontrast.objectives import (
    CACR,
    HardNegative,
    InfoNCE,
    KernelInfoNCE,
    Sum,
    SupCon,
    VICReg,
    Weighted,
)
from skcontrast.optimizers import SGD, AdamW
from skcontrast.temperatures import Individual, Learned, ModelAware
from skcontrast.views import Compose, Corruption, FeatureMask, GaussianNoise, Mixup, Neighbors

# ------------------------------------------------------------ parameters

MISSPELT = {
    "objective": {"infonce": "info_nce", "InfoNCE": "info_nce", "sup-con": "supcon"},
    "views": {"corupt": "corruption", "neighbours": "neighbors", "Mixup": "mixup"},
    "network": {"mpl": "mlp", "liner": "linear"},
    "projector": {"mpl": "mlp", "Linear": "linear"},
    "sampler": {"unifrom": "uniform", "balanced": "class_balanced"},
    "optimizer": {"adam": "adamw", "sdg": "sgd"},
    "precision": {"fp32": "float32", "bf16": "bfloat16"},
    "batch_size": {"aut": "auto"},
}


@pytest.mark.parametrize("name", MISSPELT)
def test_misspelt_names(name):
    for given, meant in MISSPELT[name].items():
        match = f"'{name}' parameter of ContrastiveEncoder .* Got '{given}' instead. Did you mean "
        assert_refused(f"{match}'{meant}'", error=InvalidParameterError, **{name: given})
    if name == "batch_size":
        return
    for value in ("", "zzzz", 3.5, {"a": 1}, object(), b"mlp", np.array(["mlp"])):
        assert_refused(f"'{name}' parameter", error=InvalidParameterError, **{name: value})


@pytest.mark.parametrize("nest", [lambda v: [v], lambda v: ("mask", [v]), lambda v: Compose([v])])
def test_misspelt_names_in_lists(nest):
    match = "'views' parameter of .* Got 'corupt' among them instead. Did you mean 'corruption'"
    assert_refused(match, error=InvalidParameterError, views=nest("corupt"))
    match = r"'views' parameter of .* Did you mean Corruption\(\)"
    assert_refused(match, error=InvalidParameterError, views=nest(Corruption))
    assert_refused("'views' parameter of", error=InvalidParameterError, views=nest(3))
    assert_refused("'views' parameter of", error=InvalidParameterError, views=nest(MLP()))
    match = "'rate' parameter of Corruption"
    assert_refused(match, error=InvalidParameterError, views=nest(Corruption(rate=2)))


NONSENSE = {
    "n_components": [0, -1, 2.5, "3"],
    "n_views": [0, -1, 2.0, "2", None],
    "clean_anchor": [1, "yes", None],
    "network": [None, MLP, nn.Linear, InfoNCE(), Corruption()],
    "projector": [MLP, 3, InfoNCE()],
    "objective": [None, InfoNCE, nn.CrossEntropyLoss(), MLP(), len],
    "views": [InfoNCE(), MLP(), {"mask"}],
    "sampler": [None, AdamW(), 3],
    "optimizer": [None, MLP(), torch.optim.Adam, AdamW],
    "standardize": ["yes", None, 2],
    "learning_rate": [0, -1, "fast", None, np.nan, np.inf],
    "batch_size": [0, 1, 2.5, None, True],
    "max_iter": [0, -3, 1.5, None, "10"],
    "early_stopping": ["yes", None, 1],
    "validation_fraction": [0, 1, 0.0, 1.0, -1, "x", None, np.nan],
    "n_iter_no_change": [0, 1.5],
    "tol": [-1, None, np.nan],
    "warm_start": ["a"],
    "trainable": ["first", None, True],
    "callbacks": [3, "x", [3], ["x"], [("name", 3)], {}],
    "checkpoint": [3, object(), []],
    "device": [3, None],
    "precision": [16, None, torch.float32],
    "random_state": ["a", -1, 1.5],
    "verbose": ["a", -1],
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense(name):
    for value in NONSENSE[name]:
        match = f"The '{name}' parameter of ContrastiveEncoder must be .* Got "
        message = assert_refused(match, error=InvalidParameterError, **{name: value})
        assert repr(value) in message


@pytest.mark.parametrize("cls", exported_estimators())
@pytest.mark.parametrize("value", [True, False, np.True_])
def test_a_bool_is_no_number(cls, value):
    numbers = (Interval, Real, Integral, "random_state")
    for name, accepted in cls._parameter_constraints.items():
        if "boolean" in accepted or not any(
            c in numbers or isinstance(c, Interval) for c in accepted
        ):
            continue
        match = re.escape(f"The {name!r} parameter of {cls.__name__} must be ")
        with pytest.raises(InvalidParameterError, match=f"{match}.* Got {value!r} instead"):
            check_parameters(cls().set_params(**{name: value}))


def test_a_bool_is_no_number_in_a_component():
    for params in (
        {"objective": InfoNCE(temperature=True)},
        {"views": [Corruption(rate=True)]},
        {"network": MLP(width=True)},
        {"optimizer": SGD(momentum=False)},
    ):
        assert_refused("Got (True|False) instead", error=InvalidParameterError, **params)
    assert_sound(X, verbose=False, optimizer=SGD(nesterov=True, momentum=0.9))


def test_a_class_in_place_of_an_object():
    for name, cls in {"objective": InfoNCE, "network": MLP, "views": Corruption}.items():
        assert_refused(rf"Did you mean {cls.__name__}\(\)", **{name: cls})


DEVICES = {
    "gpu": "Did you mean 'cuda'",
    "GPU": "Did you mean 'cuda'",
    "CPU": "type device='auto', 'cpu'",
    "": "is no device",
    "cuda0": "is no device",
    "cuda:x": "is no device",
    "cuda:97": "torch finds [0-9]+ of them: type device='auto'",
    "meta": "not supported: type 'cpu'",
    "xpu": "not supported",
}


def test_devices():
    for device, match in DEVICES.items():
        assert_refused(f"device='{device}'.*{match}", device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7", torch.device("cuda", 1)])
def test_no_cuda(device):
    assert_refused("asks for a CUDA device, but torch finds 0 of them", device=device)


def test_cpu_with_a_number_is_the_cpu():
    assert_sound(X, device="cpu:3")


NESTED = {
    "temperature' parameter of InfoNCE": [
        {"objective": InfoNCE(temperature=t)}
        for t in (0, -1, "x", None, np.nan, np.inf, [0.1], Learned, Corruption())
    ],
    "learned'": [
        {"objective": InfoNCE(temperature="lerned")},
        {"objective": 0.5 * InfoNCE(temperature="Learnt")},
    ],
    "temperature' parameter of SupCon": [{"objective": SupCon(temperature=-1)}],
    "temperature' parameter of KernelInfoNCE": [
        {"objective": VICReg() + 2 * KernelInfoNCE(temperature=0)}
    ],
    "parameter of InfoNCE": [
        {"objective": InfoNCE() + 0.5 * InfoNCE(temperature=-1)},
        {"objective": InfoNCE(form="two-way")},
        {"objective": InfoNCE(block_size=0)},
        {"objective": InfoNCE(hard_negative_weight=np.nan)},
    ],
    "init' parameter of Learned": [{"objective": InfoNCE(temperature=Learned(init=-1))}],
    "tau' parameter of Individual": [{"objective": InfoNCE(temperature=Individual(tau=0))}],
    "alpha' parameter of ModelAware": [{"objective": InfoNCE(temperature=ModelAware(alpha=3))}],
    "minimum=1 is above maximum": [{"objective": InfoNCE(temperature=Individual(minimum=1))}],
    "is a rule for InfoNCE": [{"objective": SupCon(temperature="individual")}],
    "weight' parameter of Weighted": [
        {"objective": Weighted(InfoNCE(), w)} for w in (np.nan, np.inf, "x")
    ],
    "first' parameter of Sum": [{"objective": Sum("info_nce", InfoNCE())}],
    "tau_plus' parameter of HardNegative": [{"objective": HardNegative(tau_plus=2)}],
    "t_neg' parameter of CACR": [{"objective": CACR(t_neg=0)}],
    "InfoNCE takes the last view for hard negatives.*type objective='info_nce'": [
        {"objective": InfoNCE(hard_negatives=True, form="one_way")}
    ],
    "rate' parameter of Corruption": [{"views": Corruption(rate=r)} for r in (2, 0, "x", np.nan)],
    "rate' parameter of FeatureMask": [{"views": ["noise", FeatureMask(rate=-1)]}],
    "scale' parameter of GaussianNoise": [{"views": GaussianNoise(scale=s)} for s in (-1, np.inf)],
    "alpha' parameter of Mixup": [{"views": (Mixup(alpha=0),)}],
    "Did you mean 'euclidean'": [{"views": Neighbors(metric="euclidian")}],
    "hidden_layer_sizes' parameter of MLP": [{"network": MLP(hidden_layer_sizes=3)}],
    "MLP: hidden_layer_sizes=.*integers of at least 1": [
        {name: MLP(hidden_layer_sizes=sizes)}
        for name in ("network", "projector")
        for sizes in ((0,), (-1,), ("a",), (2.5,), (None,), (True,))
    ],
    "Did you mean 'relu'": [{"network": MLP(activation="rleu")}],
    "dropout' parameter of MLP": [{"network": MLP(dropout=1)}],
    "weight_decay' parameter of AdamW": [{"optimizer": AdamW(weight_decay=-1)}],
    "momentum' parameter of SGD": [{"optimizer": SGD(momentum=2)}],
    "Did you mean 'cosine'": [{"optimizer": AdamW(schedule="cos")}],
}


@pytest.mark.parametrize("match", NESTED)
def test_parameters_of_components(match):
    for params in NESTED[match]:
        assert_refused(match, y=Y, **params)


@pytest.mark.parametrize("tau", [1e-30, 1e-8, 1e-3, 1e8, 1e30])
@pytest.mark.parametrize("objective", [InfoNCE, SupCon, HardNegative, KernelInfoNCE])
def test_extreme_temperatures(objective, tau):
    assert_sound(X, Y, objective=objective(temperature=tau))


@pytest.mark.parametrize("alpha", [1e-300, 1e-30, 1e30, 1e300])
def test_extreme_mixup(alpha):
    assert_sound(X, views=Mixup(alpha=alpha))


def test_training_that_diverges():
    match = "type a smaller learning_rate"
    for params in ({"learning_rate": 1e30}, {"learning_rate": 1e300}):
        assert_refused(match, error=FloatingPointError, **params, max_iter=3)
    optimizer = AdamW(weight_decay=1e30)
    assert_refused("weight_decay", error=FloatingPointError, optimizer=optimizer)


def test_memory_that_runs_out():
    network = MLP(hidden_layer_sizes=(10**13,))
    assert_refused("type a smaller batch_size", error=MemoryError, network=network)


def test_early_stopping_with_few_rows():
    for n in (2, 3):
        match = f"holds out 2 of n_samples={n} rows .*: type early_stopping=False"
        assert_refused(match, X[:n], early_stopping=True)
    assert_sound(X[:4], early_stopping=True, max_iter=3)
    match = "smaller validation_fraction than 0.99"
    assert_refused(match, early_stopping=True, validation_fraction=0.99)


@pytest.mark.parametrize("name", ["info_nce", "vicreg", "decoupled_uniformity"])
def test_one_view_is_too_few(name):
    match = r"n_views=1, but \w+ needs at least (2|3) views of each row: type n_views=(2|3)"
    assert_refused(match, objective=name, n_views=1)


# ------------------------------------------------- a user's own functions

VIEWS = {
    "narrow": (lambda x: x[:, :2], r"must return a Tensor of the shape .* of shape \(20, 2\)"),
    "fewer": (lambda x: x[:1], "must return a Tensor of the shape"),
    "None": (lambda x: None, "must return a Tensor.*NoneType"),
    "array": (lambda x: x.numpy(), "must return a Tensor.*ndarray"),
    "complex": (lambda x: x + 1j, "must return a Tensor.*complex"),
    "NaN": (lambda x: x * np.nan, "returned NaN or infinity"),
    "infinity": (lambda x: x / 0, "returned NaN or infinity"),
    "no argument": (lambda: 3, "failed on a Tensor of shape.*takes 0 positional"),
    "torch error": (lambda x: x @ x, "failed on a Tensor of shape.*cannot be multiplied"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_that_fail(name):
    view, match = VIEWS[name]
    for views in (view, ["mask", view], Compose((view,))):
        assert_refused(f"views: the function <lambda> {match}", views=views)


def test_views_that_work():
    for view in (torch.sigmoid, nn.Dropout(0.1), lambda x: x.mul_(2), lambda x: x.double()):
        assert_sound(X, views=view)
        match = r"failed on a SparseBatch of shape \(20, 5\)"
        assert_refused(f"views: the function .* {match}", SPARSE, views=view)


def nan_module():
    module = nn.Linear(5, 3)
    nn.init.constant_(module.weight, np.nan)
    return module


MODULES = {
    "input": (nn.Linear(4, 3), r"Linear failed on .* \(2, 5\).*it must map \(n, 5\)"),
    "output": (nn.Linear(5, 2), "gives 2 columns, but n_components=3: type n_components=2"),
    "flat": (nn.Flatten(0), r"gave a tensor of shape \(10,\)"),
    "tuple": (nn.LSTM(5, 3), "it must map"),
    "long": (nn.Embedding(4, 3), "failed on a batch"),
    "complex": (nn.Linear(5, 3, dtype=torch.complex64), "failed on a batch"),
    "no column": (nn.Linear(5, 0), "it must map"),
    "frozen": (nn.Linear(5, 3).requires_grad_(False), "no parameter to train"),
}


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("name", MODULES)
def test_modules_that_fail(name):
    module, match = MODULES[name]
    assert_refused(match, network=module)
    assert_refused(match, SPARSE, network=module)


def test_projectors_that_fail():
    match = r"projector: the Linear failed on .*it must map \(n, 3\)"
    assert_refused(match, projector=nn.Linear(4, 3))
    assert_refused("The loss is nan", error=FloatingPointError, network=nan_module())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_modules_that_work(dtype):
    for module in (nn.Linear(5, 3), nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))):
        assert_sound(X, network=module.to(dtype))
        assert_sound(SPARSE, network=module.to(dtype), projector=nn.Identity())


def test_messages_say_what_to_type():
    """A sample of the sentences in full."""
    message = assert_refused("The", views=["corupt"])
    assert message == (
        "The 'views' parameter of ContrastiveEncoder must hold a str among {'corruption', "
        "'dropout', 'mask', 'mixup', 'neighbor_bands', 'neighbors', 'noise', 'parts', "
        "'same_group', 'swap', 'time_offset'} or a component (view) or callables. Got 'corupt' "
        "among them instead. Did you mean 'corruption'?"
    )
    message = assert_refused("X", X * 1e20, standardize=False)
    assert re.fullmatch(
        r"X has entries as large as 2\.33e\+20, and precision='float32' takes entries up to "
        r"1\.8e\+15: type standardize=True, or divide X by a constant first\.",
        message,
    )
