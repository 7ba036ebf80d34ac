"""Saving a fitted estimator as JSON and safetensors: loading it runs no code."""

import json
import math
from importlib import import_module
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from skcontrast._version import __version__

FORMAT = "skcontrast estimator"
FORMAT_VERSION = 1
DESCRIPTION, ARRAYS = "estimator.json", "arrays.safetensors"
# Belongs to one process or one run, not to the fitted model.
_TRANSIENT = {"_skl_callbacks", "_parent_callback_ctx", "_callback_fit_ctx", "_metadata_request"}


def save(estimator, folder):
    """Write an estimator of this package to a folder.

    The folder holds ``estimator.json`` (parameters, components and small attributes,
    with the version of the package) and ``arrays.safetensors`` (weights). It can be read
    without trusting its author: :func:`load` executes nothing from it. Metadata requests
    and scikit-learn callbacks are not kept.

    Parameters
    ----------
    estimator : estimator of this package
        Fitted or not.

    folder : str or path-like
        Made when it is not there; a model already in it is replaced.

    Raises
    ------
    TypeError
        When a parameter holds code or live state, such as a torch module, a callable or
        a generator; ``pickle`` keeps these.

    Examples
    --------
    >>> import skcontrast
    >>> encoder = skcontrast.ContrastiveEncoder(n_components=4)
    >>> skcontrast.save(encoder, "model")  # doctest: +SKIP
    """
    from safetensors.numpy import save_file

    if not type(estimator).__module__.startswith("skcontrast."):
        raise TypeError(
            f"save writes estimators of skcontrast, got {type(estimator).__name__}: "
            "use joblib.dump for others, pipelines among them."
        )
    arrays = {}
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "estimator": _encode(estimator, type(estimator).__name__, arrays),
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(arrays, folder / ARRAYS)
    text = json.dumps(description, indent=1, allow_nan=False)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def load(folder):
    """Read an estimator that :func:`save` wrote.

    Parameters
    ----------
    folder : str or path-like

    Returns
    -------
    estimator : estimator

    Raises
    ------
    ValueError
        When the folder is broken, incomplete, or not one of ours.

    Examples
    --------
    >>> import skcontrast
    >>> encoder = skcontrast.load("model")  # doctest: +SKIP
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        arrays = load_file(folder / ARRAYS)
    except FileNotFoundError as error:
        raise _refusal(folder, f"{Path(error.filename or ARRAYS).name} is missing") from None
    except (OSError, ValueError, SafetensorError) as error:
        raise _refusal(folder, f"it cannot be read ({type(error).__name__})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise _refusal(folder, f"{DESCRIPTION} describes something else")
    if description.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{str(folder)!r} was written by skcontrast {description.get('version')} in another "
            f"format than skcontrast {__version__} reads: load it with that version."
        )
    try:
        return _decode(description["estimator"], arrays)
    except (KeyError, TypeError, AttributeError, ImportError, ValueError) as error:
        raise _refusal(folder, f"its description is broken ({error})") from None


def _refusal(folder, why):
    return ValueError(f"{str(folder)!r} is no folder written by skcontrast.save: {why}.")


def _encode(value, path, arrays):
    """Turn ``value`` into JSON, moving arrays to ``arrays`` under their path."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "OUS":
            return {"strings": value.tolist(), "object": value.dtype.kind == "O"}
        arrays[path] = np.ascontiguousarray(value)
        return {"array": path}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if isinstance(value, dict):
        return {"dict": {k: _encode(v, f"{path}.{k}", arrays) for k, v in value.items()}}
    if isinstance(value, BaseEstimator) and type(value).__module__.startswith("skcontrast."):
        return _encode_object(value, path, arrays)
    if isinstance(value, Path) or (type(value).__module__, type(value).__name__) == (
        "torch",
        "device",
    ):
        return str(value)
    raise TypeError(
        f"{path} is a {type(value).__name__}, which cannot be saved without code: "
        "use pickle or joblib, or a component or number in its place."
    )


def _encode_object(value, path, arrays):
    params = value.get_params(deep=False)
    fitted = {k: v for k, v in vars(value).items() if k not in params and k not in _TRANSIENT}
    return {
        "class": f"{type(value).__module__}:{type(value).__qualname__}",
        "params": {k: _encode(v, f"{path}.{k}", arrays) for k, v in params.items()},
        "fitted": {k: _encode(v, f"{path}.{k}", arrays) for k, v in fitted.items()},
    }


def _decode(value, arrays):
    if not isinstance(value, dict):
        return value
    if "class" in value:
        return _decode_object(value, arrays)
    ((kind, content),) = [item for item in value.items() if item[0] != "object"]
    if kind == "float":
        return float(content)
    if kind == "array":
        return arrays[content]
    if kind == "strings":
        return np.array(content, dtype=object if value["object"] else None)
    if kind == "dict":
        return {k: _decode(v, arrays) for k, v in content.items()}
    return {"list": list, "tuple": tuple}[kind](_decode(item, arrays) for item in content)


def _decode_object(value, arrays):
    module, _, name = value["class"].partition(":")
    # Nothing outside the package is imported, whatever the file asks for.
    if module.partition(".")[0] != "skcontrast" or "." in name:
        raise ValueError(f"{value['class']!r} is not a class of this package")
    cls = getattr(import_module(module), name)
    if not (isinstance(cls, type) and issubclass(cls, BaseEstimator)):
        raise ValueError(f"{value['class']!r} is not an estimator or component")
    made = cls(**{k: _decode(v, arrays) for k, v in value["params"].items()})
    for name, content in value["fitted"].items():
        if name.startswith("__"):
            raise ValueError(f"{name!r} is not a fitted attribute")
        setattr(made, name, _decode(content, arrays))
    return made
