"""Training a part of the encoder: the other weights stay as they are."""

from torch import nn

from skcontrast._component import StrOptions, did_you_mean

TRAINABLE = [StrOptions({"all", "last"}), list, tuple]


def freeze(network, trainable):
    """Leave to training those weights of the encoder of a ViewNetwork that ``trainable`` says.

    Parameters
    ----------
    network : ViewNetwork

    trainable : "all", "last" or list of str
        Names of weights, or how these begin.
    """
    if trainable == "all":
        return
    parts = dict(network.encoder.named_modules(prefix="encoder"))
    names = parts | dict(network.encoder.named_parameters(prefix="encoder"))
    if trainable == "last":
        found = _last(network.encoder)
    else:
        found = [each for part in trainable for each in _named(part, names)]
    modules = [part for each in found if isinstance(each, nn.Module) for part in each.modules()]
    kept = {id(p) for part in modules for p in part.parameters()} | {id(each) for each in found}
    for parameter in network.encoder.parameters():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)
    # In training they would go on counting the means of batches.
    norms = [part for part in parts.values() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    network.frozen = [norm for norm in norms if not any(norm is part for part in modules)]


def _last(encoder):
    """The layers that the output comes from."""
    encoder = getattr(encoder, "module", encoder)  # what hands it dense rows stands around it
    if hasattr(encoder, "experts"):
        return [layer for expert in encoder.experts for layer in _last(expert)]
    for name in ("head", "attend", "last"):
        if isinstance(getattr(encoder, name, None), nn.Module):
            return [getattr(encoder, name)]
    return [m for m in encoder.modules() if any(True for _ in m.parameters(recurse=False))][-1:]


def _named(part, names):
    """The weight or module of a name, and what is in it."""
    found = [each for name, each in names.items() if f"{name}.".startswith(f"{part}.")]
    if not found:
        hint = did_you_mean(str(part), names)
        raise ValueError(
            f"trainable holds {part!r}, which is no weight of the encoder: type names such as "
            f"{next(reversed(names))!r}, or 'last'.{hint}"
        )
    return found


def optimizer_name(estimator):
    """What the moments of an optimizer are of: another one, or other weights, start anew."""
    trainable = getattr(estimator, "trainable", "all")
    name = repr(estimator.optimizer)
    return name if trainable == "all" else f"{name} of {trainable!r}"
