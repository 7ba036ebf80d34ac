"""Saving a fitted estimator as JSON and safetensors: loading it runs no code."""

import hashlib
import json
import math
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skcontrast._typing import Estimator, FilePath
from skcontrast._version import __version__

FORMAT = "skcontrast estimator"
FORMAT_VERSION = 1
DESCRIPTION = "estimator.json"
# Belongs to one process or one run, not to the fitted model.
_TRANSIENT = {
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_parent_callback_ctx",
    "_callback_fit_ctx",
    "_metadata_request",
}


def save(estimator: Estimator, folder: FilePath) -> None:
    """Write an estimator of this package to a folder.

    The folder holds ``estimator.json`` (parameters, components and small attributes,
    with the version of the package) and ``arrays-*.safetensors`` (weights), which the
    description names by its checksum: a save that is cut short leaves the model that was
    there before. The folder can be read without trusting its author: :func:`load`
    executes nothing from it. Metadata requests and scikit-learn callbacks are not kept.

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
    safetensors = _safetensors()
    if not type(estimator).__module__.startswith("skcontrast."):
        raise TypeError(
            f"save writes estimators of skcontrast, got {type(estimator).__name__}: "
            "use joblib.dump for others, pipelines among them."
        )
    arrays: dict[str, np.ndarray] = {}
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "estimator": _encode(estimator, type(estimator).__name__, arrays),
    }
    content = safetensors.numpy.save(arrays)
    description["sha256"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(description, indent=1, allow_nan=False)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # The new description takes the old one's place in one step, when its arrays are there.
    kept = folder / _arrays_name(description["sha256"])
    _write(kept, content)
    _write(folder / DESCRIPTION, text.encode())
    for path in folder.glob("arrays-*.safetensors"):
        if path != kept:
            path.unlink(missing_ok=True)


def _arrays_name(digest):
    return f"arrays-{digest[:16]}.safetensors"


def _write(path, content):
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _safetensors():
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError("save and load need safetensors: type pip install safetensors.") from None
    return safetensors


def load(folder: FilePath) -> Any:
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
    safetensors = _safetensors()
    folder = Path(folder)
    description = _read(folder, DESCRIPTION, json.loads)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise _refusal(folder, f"{DESCRIPTION} describes something else")
    if description.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{str(folder)!r} was written by skcontrast {description.get('version')} in another "
            f"format than skcontrast {__version__} reads: load it with that version."
        )
    digest = str(description.get("sha256"))
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise _refusal(folder, f"{DESCRIPTION} has no checksum of the arrays")

    def checked(content):
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("checksum")
        return safetensors.numpy.load(content)

    arrays = _read(folder, _arrays_name(digest), checked)
    try:
        return _decode_object(description["estimator"], arrays)
    except (LookupError, TypeError, AttributeError, ImportError, ValueError) as error:
        raise _refusal(folder, f"its description is broken ({error})") from None
    except RecursionError:
        raise _refusal(folder, "its description is nested without end") from None


def _read(folder, name, parse):
    try:
        return parse((folder / name).read_bytes())
    except FileNotFoundError:
        raise _refusal(folder, f"{name} is missing") from None
    except Exception as error:  # whatever broken bytes lead the parsers to
        raise _refusal(folder, f"{name} cannot be read ({type(error).__name__})") from None


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
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        items = [_encode(v, f"{path}.{i}", arrays) for i, v in enumerate(value.ravel().tolist())]
        return {"objects": [value.dtype.str, list(value.shape), items]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        while path in arrays:  # dots in the keys of dicts can make two paths equal
            path += "_"
        # Little-endian and in C order, as safetensors takes the bytes as they are.
        arrays[path] = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        # Products are rounded in another way with an array in another order.
        order = {} if value.flags.c_contiguous or not value.flags.f_contiguous else {"order": "F"}
        return {"array": path, "shape": list(value.shape), **order}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
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
        "class": _public_name(type(value)),
        "params": {k: _encode(v, f"{path}.{k}", arrays) for k, v in params.items()},
        "fitted": {k: _encode(v, f"{path}.{k}", arrays) for k, v in fitted.items()},
    }


def _decode(value, arrays):
    if not isinstance(value, dict):
        return value
    if "class" in value:
        return _decode_object(value, arrays)
    kind, content = next(iter(value.items()), ("nothing", None))
    if kind == "float":
        return float(content)
    if kind == "array":
        # A copy: safetensors gives read-only arrays.
        return arrays[content].reshape(value["shape"]).copy(order=value.get("order", "C"))
    if kind == "objects":
        return _decode_objects(*content, arrays)
    if kind == "dict":
        return {k: _decode(v, arrays) for k, v in content.items()}
    return {"list": list, "tuple": tuple}[kind](_decode(item, arrays) for item in content)


def _decode_objects(dtype, shape, items, arrays):
    if not re.fullmatch(r"\|O|[<>]U\d+", dtype):
        raise ValueError(f"{dtype!r} is no type of strings")
    out = np.empty(len(items), dtype=dtype)
    for i, item in enumerate(items):
        out[i] = _decode(item, arrays)
    return out.reshape(shape)


def _public_name(cls):
    """Name of a class in saved folders: files may move, public names stay."""
    room = cls.__module__.split(".")[1]
    for place in ("", f"{room}.", "checkpoint."):
        if _found(place + cls.__name__) is cls:
            return place + cls.__name__
    raise TypeError(f"{cls.__name__} is no public class of its room {room}, and is not saved.")


def _found(name):
    """The class of a public name, such as "ContrastiveEncoder" or "networks.MLP", or None."""
    room, _, name = name.rpartition(".")
    # Nothing outside the package is imported, whatever the file asks for.
    if room and room not in {path.stem for path in Path(__file__).parent.iterdir()}:
        return None
    cls = getattr(import_module(f"skcontrast.{room}".rstrip(".")), name, None)
    # A module also holds what it imported, which is none of ours.
    ours = isinstance(cls, type) and issubclass(cls, BaseEstimator)
    return cls if ours and cls.__module__.startswith("skcontrast.") else None


def _class(name):
    """The class that a folder speaks of, by its public name, or by the file it once stood in."""
    if ":" in name:  # format 1, until 0.1
        path, _, name = name.partition(":")
        room = path.removeprefix("skcontrast.").partition(".")[0]
        places = ("", f"{room}.", f"{room.removeprefix('_')}.", "_inputs.", "_output.")
    else:
        places = ("",)
    for place in places:
        if (cls := _found(place + name)) is not None:
            return cls
    raise ValueError(f"{name!r} is not a class of this package that is saved")


def _decode_object(value, arrays):
    cls = _class(value["class"])
    params = {k: _decode(v, arrays) for k, v in value["params"].items()}
    fitted = {k: _decode(v, arrays) for k, v in value["fitted"].items()}
    if ":" in value["class"] and {"mean_", "weights_"} <= fitted.keys():
        params, fitted = _of_format_1(cls.__name__, params, fitted)
    made = cls(**params)
    for name, content in fitted.items():
        # Never a method or a class attribute: some of these name modules to import.
        if name.startswith("__") or hasattr(cls, name) or name in _TRANSIENT:
            raise ValueError(f"{name!r} is not a fitted attribute")
        setattr(made, name, content)
    return made


def _of_format_1(owner, params, fitted):
    """Parameters and attributes of an encoder as they are since there are inputs and outputs."""
    take = fitted.pop
    words, width_in, kept = take("word_counts_", None), take("_width_in", None), {}
    if words is None:
        kind, own = "TableInput", ("standardize", "precision")
        names = ("mean_", "scale_", "n_features_in_", "feature_names_in_")
        kept = {name: take(name) for name in names if name in fitted}
        kept["expansion_"] = take("expansion_", None)
        kept["features_"] = take("_column_features", None)
    else:
        kind = "TextInput"
        own = ("tokenizer", "token_pattern", "lowercase", "stop_words", "strip_accents")
        kept = {"word_counts_": words, "n_features": width_in}
        take("mean_"), take("scale_")
    source = _class(f"_inputs.{kind}")(owner, **{name: params[name] for name in own})
    vars(source).update(kept)
    parts = take("_parts_wanted", ())
    output = _class("_output.Output")(parts)
    names = ("parts_", "part_means_", "part_scales_", "part_columns_")
    vars(output).update({name: take(name) for name in names if name in fitted})
    output.bases_ = {}
    if "passthrough" in params:
        params["passthrough"] = list(parts) or False
    width, columns = take("n_components_"), take("_n_features_out")
    new = {"input_": source, "output_": output, "_width": width, "n_components_": columns}
    return params, fitted | new
