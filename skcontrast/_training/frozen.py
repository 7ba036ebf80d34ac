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
    names = {name: p for name, p in network.named_parameters() if name.startswith("encoder.")}
    if trainable == "last":
        kept = {id(p) for layer in _last(network.encoder) for p in layer.parameters()}
    else:
        kept = {id(p) for part in trainable for p in _named(part, names)}
    for parameter in names.values():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)


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
    """The weights of a name, or of a module of this name."""
    found = [p for name, p in names.items() if f"{name}.".startswith(f"{part}.")]
    if not found:
        hint = did_you_mean(str(part), names)
        raise ValueError(
            f"trainable holds {part!r}, which is no weight of the encoder: type names such as "
            f"{next(iter(names), 'encoder')!r}, or 'last'.{hint}"
        )
    return found


def optimizer_name(estimator):
    """What the moments of an optimizer are of: another one, or other weights, start anew."""
    trainable = getattr(estimator, "trainable", "all")
    name = repr(estimator.optimizer)
    return name if trainable == "all" else f"{name} of {trainable!r}"
