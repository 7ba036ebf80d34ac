"""What has to agree in what a folder holds of several blocks."""

import numpy as np

from skcontrast._inputs.table import TableInput
from skcontrast._inputs.text import TextInput


def need(fits, sentence):
    """Raise unless something fits."""
    if not fits:
        raise ValueError(sentence)


def blocks_input(source):
    known = all(type(part) in (TableInput, TextInput) for part in source.inputs_.values())
    need(known and len(source.inputs_) > 1, "inputs_ are no inputs of two blocks or more")
    need(len(source.n_pairs_) == len(source.inputs_), "n_pairs_ are of other blocks")
    if source.columns_ is None:
        return
    need(source.columns_.keys() == source.inputs_.keys(), "columns_ are of other blocks")
    for name, columns in source.columns_.items():
        part, width = source.inputs_[name], source.n_features_in_
        listed = isinstance(columns, np.ndarray) and columns.dtype.kind in "iu"
        numbers = columns if listed and columns.ndim == 1 else np.atleast_1d(columns)
        need(listed == (part.kind == "numbers"), f"columns_ of {name} are of another kind")
        inside = len(numbers) and numbers.min() >= 0 and numbers.max() < width
        need(inside, f"columns_ of {name} are outside of X")
        same = not listed or len(columns) == part.n_features_in_
        need(same, f"columns_ of {name} are not as many as its input reads")


def absent_maps(maps, source, learned):
    """Maps from the embedding to the columns of a block, where rows may lack some."""
    for name, array in (maps or {}).items():
        part = getattr(source, "inputs_", {}).get(name)
        need(part is not None and part.kind == "numbers", f"absent_ is of no block: {name}")
        shape = learned // len(source.inputs_) + 1, part.n_features
        need(array.shape == shape and np.isfinite(array).all(), f"absent_ of {name} is another")


def canonical(model):
    source, k = model.input_, model.width_
    need(model.n_components_ == k * len(source.inputs_), "n_components_ is another")
    for name, part in source.inputs_.items():
        shape = np.shape(model.maps_.get(name)), np.shape(model.offsets_.get(name))
        need(shape == ((part.n_features, k), (k,)), f"maps_ or offsets_ of {name} are others")
        there = model.maps_[name], model.offsets_[name]
        need(all(np.isfinite(a).all() for a in there), f"maps_ of {name} hold NaN")
