"""Estimators as JSON and named arrays, and back: nothing of it is executed."""

import math
import re
from collections import UserList
from importlib import import_module
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from skcontrast._saved import heads
from skcontrast._saved.before import of_format_1
from skcontrast._saved.patterns import check_pattern
from skcontrast._saved.schema import check_object

# Belongs to one process or one run, not to the fitted model.
_TRANSIENT = {
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_parent_callback_ctx",
    "_callback_fit_ctx",
    "_metadata_request",
}
# What a sparse matrix consists of.
_CSR = "data", "indices", "indptr"
_SETS = {"set": set, "frozenset": frozenset}
# Entries of an array of strings that may be many times as long as what its items take.
WIDE = 2**20
# Estimators that a folder may name again: one that holds another twice, and so on, would be
# exponentially large to whoever goes through it.
MOST_SHARED = 8


def public_name(cls):
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
    if room and room not in {path.stem for path in Path(__file__).parents[1].iterdir()}:
        return None
    cls = getattr(import_module(f"skcontrast.{room}".rstrip(".")), name, None)
    # A module also holds what it imported, which is none of ours.
    ours = isinstance(cls, type) and issubclass(cls, BaseEstimator)
    return cls if ours and cls.__module__.startswith("skcontrast.") else None


def class_of(name):
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


def is_ours(value):
    """Whether a value is an estimator or component of this package."""
    return isinstance(value, BaseEstimator) and type(value).__module__.startswith("skcontrast.")


class Encoder:
    """Turns values into JSON, moving arrays to ``arrays`` under their paths."""

    def __init__(self):
        self.arrays, self._paths, self._kept, self._n_shared = {}, {}, [], 0
        self._steps = []  # the named steps that we are in

    def encode(self, value, path):
        """JSON of a value."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
            items = [self.encode(v, f"{path}.{i}") for i, v in enumerate(value.ravel().tolist())]
            return {"objects": [value.dtype.str, list(value.shape), items]}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            return self._array(value, path)
        if sp.issparse(value) and value.format == "csr":
            return self._sparse(value, path)
        if isinstance(value, (set, frozenset)):
            items = [self.encode(item, path) for item in value]
            if all(item is None or isinstance(item, (bool, int, float, str)) for item in items):
                kind = "set" if isinstance(value, set) else "frozenset"
                return {kind: sorted(items, key=lambda item: (type(item).__name__, repr(item)))}
        if isinstance(value, UserList):  # columns, in some versions of scikit-learn
            value = value.data
        if isinstance(value, (list, tuple)):
            named = isinstance(value, tuple) and len(value) > 1 and hasattr(value[1], "get_params")
            self._steps += [str(value[0])] if named else []
            items = [self.encode(item, f"{path}.{i}") for i, item in enumerate(value)]
            self._steps = self._steps[:-1] if named else self._steps
            return {type(value).__name__: items}
        if isinstance(value, slice):
            parts = value.start, value.stop, value.step
            return {"slice": [self.encode(part, path) for part in parts]}
        if isinstance(value, np.dtype) and value.kind in "biufOU":
            return {"dtype": value.str}
        if isinstance(value, type) and issubclass(value, np.number):
            return {"number": np.dtype(value).str}
        if heads.is_function(value):
            return {"function": value.__name__}
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {"dict": {k: self.encode(v, f"{path}.{k}") for k, v in value.items()}}
        if isinstance(value, dict) and all(isinstance(key, (bool, int, float)) for key in value):
            items = [
                [self.encode(k, path), self.encode(v, f"{path}.{k}")] for k, v in value.items()
            ]
            return {"pairs": items}
        if is_ours(value) or heads.is_saved(value):
            return self.object(value, path)
        if isinstance(value, Path) or (type(value).__module__, type(value).__name__) == (
            "torch",
            "device",
        ):
            return str(value)
        kind = type(value).__name__
        if self._steps and isinstance(value, BaseEstimator):
            raise TypeError(
                f"{self._step()} is a {kind}, which save does not cover: use joblib.dump for a "
                "file of your own, or one of the classes that help(skcontrast.save) names."
            )
        where = f" (in {self._step()})" if self._steps else ""
        raise TypeError(
            f"{path} is a {kind}{where}, which cannot be saved without code: "
            "use pickle or joblib, or a component or number in its place."
        )

    def _step(self):
        return f"step {'__'.join(self._steps)!r}"

    def _sparse(self, value, path):
        parts = {name: self._array(getattr(value, name), f"{path}.{name}") for name in _CSR}
        return {"csr": parts, "shape": list(value.shape)}

    def _array(self, value, path):
        while path in self.arrays:  # dots in the keys of dicts can make two paths equal
            path += "_"
        # Little-endian and in C order, as safetensors takes the bytes as they are.
        self.arrays[path] = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        # Products are rounded in another way with an array in another order.
        order = {} if value.flags.c_contiguous or not value.flags.f_contiguous else {"order": "F"}
        return {"array": path, "shape": list(value.shape), **order}

    def object(self, value, path):
        """JSON of an estimator or component; an estimator that is there twice is written once."""
        if id(value) in self._paths and self._n_shared < MOST_SHARED:
            self._n_shared += 1
            return {"same": self._paths[id(value)]}
        if hasattr(value, "fit"):
            self._paths[id(value)] = path
            self._kept.append(value)  # another object must not get its number
        params = heads.params_of(value)
        if is_ours(value):
            name = {"class": public_name(type(value))}
            held = value.saved() if hasattr(value, "saved") else vars(value)
            fitted = {k: v for k, v in held.items() if k not in params}
            fitted = {k: v for k, v in fitted.items() if k not in _TRANSIENT}
        else:
            name, fitted = {"sklearn": type(value).__name__}, self._learned(value, path)
        return {
            **name,
            "params": {k: self.encode(v, f"{path}.{k}") for k, v in params.items()},
            "fitted": {k: self.encode(v, f"{path}.{k}") for k, v in fitted.items()},
        }

    def _learned(self, value, path):
        try:
            return heads.learned(value)
        except TypeError as error:
            where = self._step() if self._steps else path
            raise TypeError(f"{where} cannot be saved: {error}; use joblib.dump.") from None


class Decoder:
    """Makes values of JSON and arrays, each of which is used once.

    Parameters
    ----------
    arrays : dict of str to ndarray

    trusted_patterns : collection of str
        Regular expressions to run, whatever they are.
    """

    def __init__(self, arrays, trusted_patterns=()):
        self._arrays, self._made, self._n_shared = dict(arrays), {}, 0
        self._trusted = trusted_patterns

    def decode(self, value, path):
        """The value at a path of the description."""
        if not isinstance(value, dict):
            return value
        if "class" in value or "sklearn" in value:
            return self._object(value, path)
        kind, content = next(iter(value.items()), ("nothing", None))
        if kind == "float":
            return float(content)
        if kind == "array":
            return self._array(content, path, value)
        if kind == "csr":
            return self._sparse(content, path, value["shape"])
        if kind == "same":
            self._n_shared += 1
            if self._n_shared > MOST_SHARED:
                raise ValueError(f"it names more than {MOST_SHARED} estimators again")
            return self._made[content]
        if kind == "objects":
            return self._strings(path, *content)
        if kind == "slice":
            return slice(*(self.decode(part, path) for part in content))
        if kind in ("dtype", "number"):
            others = r"|\|b1|\|O|[<>]U\d{1,6}" if kind == "dtype" else ""
            if not re.fullmatch(r"\|[iu]1|[<>][iuf][248]" + others, content):
                raise ValueError(f"{content!r} is no type of {kind}s")
            return np.dtype(content) if kind == "dtype" else np.dtype(content).type
        if kind == "function":
            return heads.function_of(content)
        if kind == "pairs":
            return {self.decode(k, path): self.decode(v, f"{path}.{k}") for k, v in content}
        if kind == "dict":
            return {k: self.decode(v, f"{path}.{k}") for k, v in content.items()}
        items = [self.decode(item, f"{path}.{i}") for i, item in enumerate(content)]
        return {"list": list, "tuple": tuple, **_SETS}[kind](items)

    def _array(self, name, path, value):
        # An array lies where its name says: two that are exchanged would pass as each other.
        if not name.startswith(path) or name[len(path) :].strip("_"):
            raise ValueError(f"{path} names the array {name!r}, which is that of another place")
        if name not in self._arrays:
            raise ValueError(f"the array {name!r} is missing, or named twice")
        # A copy: safetensors gives read-only arrays.
        out = self._arrays.pop(name).reshape(value["shape"]).copy(order=value.get("order", "C"))
        if max(out.shape, default=0) >= 2**31 and not out.size:
            raise ValueError(f"{path} has the shape {out.shape}, and no entry")
        return out

    def _sparse(self, parts, path, shape):
        parts = tuple(self.decode(parts[name], f"{path}.{name}") for name in _CSR)
        if not all(isinstance(size, int) and 0 <= size < 2**31 for size in shape):
            raise ValueError(f"{path} has the shape {shape}")
        made = sp.csr_matrix(parts, shape=shape)
        made.check_format(full_check=True)
        return made

    def _strings(self, path, dtype, shape, items):
        if not re.fullmatch(r"\|O|[<>]U\d+", dtype):
            raise ValueError(f"{dtype!r} is no type of strings")
        items = [self.decode(item, f"{path}.{i}") for i, item in enumerate(items)]
        if dtype != "|O":
            lengths = [len(str(item)) for item in items]
            longest, n = max(lengths, default=0), len(items)
            width = min(int(dtype[2:]), max(longest, WIDE // max(n, 1)))
            if n * width > max(WIDE, 64 * (n + sum(lengths))):
                raise ValueError(f"{path} holds strings of {width} letters, most of them empty")
            dtype = f"{dtype[:2]}{width}"
        out = np.empty(len(items), dtype=dtype)
        for i, item in enumerate(items):
            out[i] = item
        return out.reshape(shape)

    def _object(self, value, path):
        ours = "class" in value
        cls = class_of(value["class"]) if ours else heads.class_of(value["sklearn"])
        params = {k: self.decode(v, f"{path}.{k}") for k, v in value["params"].items()}
        fitted = {k: self.decode(v, f"{path}.{k}") for k, v in value["fitted"].items()}
        if ours and ":" in value["class"] and {"mean_", "weights_"} <= fitted.keys():
            params, fitted = of_format_1(class_of, cls.__name__, params, fitted)
        check_pattern(cls, params.get("token_pattern"), self._trusted)
        if ours:
            made = cls(**params)
            for name, content in fitted.items():
                # Never a method or a class attribute: some of these name modules to import.
                if name.startswith("__") or hasattr(cls, name) or name in _TRANSIENT:
                    raise ValueError(f"{name!r} is not a fitted attribute")
                setattr(made, name, content)
        else:
            made = heads.made(cls, params, fitted)
        check_object(made)
        self._made[path] = made
        return made

    def end(self):
        """Refuse arrays that nothing named."""
        if self._arrays:
            raise ValueError(f"the array {min(self._arrays)!r} belongs to nothing")
