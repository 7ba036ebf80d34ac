"""What the attributes of a fitted object have to do with each other, where sizes do not say it."""

import numpy as np
import torch

from skcontrast._inputs.convolutions import LENGTH, N_KERNELS
from skcontrast._inputs.convolved import CONVOLUTIONS
from skcontrast._inputs.table import TableInput
from skcontrast._inputs.word_features import word_features
from skcontrast._saved.blocks import absent_maps, blocks_input, canonical
from skcontrast._saved.blocks import need as _need
from skcontrast._saved.heads import transforms
from skcontrast._saved.memory import memory
from skcontrast._saved.search import SEARCHES
from skcontrast._saved.spaces import detector, label_credibility
from skcontrast._saved.step_tables import LINEAR
from skcontrast._training.devices import DTYPES
from skcontrast._training.modules import build_module

# More words than this in an n-gram, or columns in a projection, would take memory that no
# file had to hold.
MOST_WORDS, MOST_PROJECTIONS = 100, 2**16
# A series is padded to the length that a folder says.
LONGEST = 2**24


def _table_input(source):
    _need(source.owner.isidentifier(), "the owner of a TableInput is no name")
    mean, scale, expansion = source.mean_, source.scale_, source.expansion_
    width = source.n_features
    for name in ("mean_", "scale_", "features_"):
        value = getattr(source, name)
        _need(value is None or len(value) == width, f"{name} has not the {width} columns of X")
    if mean is None and scale is not None:  # of sparse rows
        plain = expansion is None and source.features_ is None and (scale == scale[0]).all()
        _need(plain, "mean_ is missing beside a scale_ of dense columns")
    _need(scale is not None or mean is None, "scale_ is missing beside mean_")
    if expansion is not None:
        _need(len(expansion.is_category) == source.n_features_in_, "expansion_ has other columns")


def _frame_columns(frame):
    n_categories = int(frame.is_category.sum())
    _need(
        len(frame.medians) == len(frame.is_category) - n_categories, "medians are of other columns"
    )
    _need(len(frame.categories) == len(frame.has_rare) == n_categories, "categories are too few")
    widths = [len(frame.medians), len(frame.was_missing)]
    for kept, rare in zip(frame.categories, frame.has_rare):
        words = isinstance(kept, np.ndarray) and kept.ndim == 1
        _need(words and all(v is None or isinstance(v, str) for v in kept), "a category is no word")
        _need(len(set(kept)) == len(kept) and isinstance(rare, bool), "a category is there twice")
        widths.append(len(kept) + rare)
    _need(sum(widths) == len(frame.features), "features are not as many as columns")


def _text_input(source):
    _need(source.owner.isidentifier(), "the owner of a TextInput is no name")
    _need(source.n_features == word_features([]).shape[1], "a word has another number of features")


def _series_input(source):
    _need(source.owner.isidentifier(), "the owner of a SeriesInput is no name")
    shape = source.shape_in_
    whole = len(shape) == 2 and all(type(side) is int for side in shape)
    _need(whole and min(shape) >= 1 and max(shape) < LONGEST, "shape_in_ is no shape of series")
    _need((source.mean_ is None) == (source.scale_ is None), "mean_ or scale_ is missing")
    _need(source.scale_ is None or len(source.scale_) == shape[0], "scale_ is of other channels")


def _recording_input(source):
    _series_input(source)
    _need(source.shape_in_ == (source.n_features_in_, source.window), "shape_in_ is of others")


def _convolutions(made):
    same = len(made.counts_) == len(made.dilations_) == len(made.channels_)
    _need(same, "counts_ are not as many as dilations_")
    _need(len(made.biases_) == N_KERNELS * made.counts_.sum(), "biases_ are not as many as counts_")
    _need(1 <= made.n_fields <= LONGEST, "n_fields is no number of parts")


def _convolved(source, convolutions):
    n_channels, length = source.shape_in_
    for made in convolutions:
        reach = int(made.dilations_.max(initial=1)) * (LENGTH - 1)
        _need(reach <= max(length - 1, LENGTH - 1), "a convolution reaches beyond its series")
        _need(made.channels_.shape[2] == n_channels, "channels_ are of other series")
    return sum(len(made.biases_) * made.n_fields for made in convolutions)


def _convolved_input(source):
    made, series = source.convolutions_, source.series_
    known = all(type(part).__name__ == "Convolutions" for part in made.values())
    _need(known and made.keys() <= CONVOLUTIONS.keys(), "convolutions_ are others")
    width = _convolved(series, made.values()) + series.shape_in_[0] * source.n_steps_
    _need(source.n_steps_ <= series.shape_in_[1], "n_steps_ are more than a series has")
    _need(len(source.mean_) == len(source.scale_) == width, "mean_ is of other columns")


def _random_convolutions(model):
    _convolved(model.input_, [model.convolutions_])


def _of_columns(model):
    width = len(model.mean_)
    _need(model.input_.n_features == width, f"X has not the {width} columns of mean_")


def _backbone(source):
    raise ValueError("a backbone is code, which no folder holds")


def _patterns(part):
    sides = (1, 9) if part.height == 1 else (5, 5)
    _need(part.kernels_.shape[3:] == sides and part.width >= 1, "a pattern has another shape")
    reach = part.dilations_.max(initial=1) * (sides[1] - 1)
    _need(reach <= max(part.width - 1, sides[1] - 1), "a pattern reaches beyond its row")
    n_fields = 1 if part.height == 1 else 9
    _need(len(part.mean_) == part.thresholds_.size * n_fields, "patterns and mean_ are not as many")
    means, scales = (vars(part).get(f"column_{name}_") for name in ("means", "scales"))
    _need((means is None) == (scales is None), "one of column_means_ and column_scales_ is missing")
    same = means is None or len(means) == part.height * part.width
    _need(same, "column_means_ are of other columns")


def _trained(model):
    source, weights = model.input_, model.weights_
    reads = getattr(model.network_, "reads", {"numbers"})
    _need({source.kind, "any"} & set(reads), f"network_ does not read {source.kind}")
    blocks = getattr(model.network_, "networks", None)
    apart = blocks.values() if isinstance(blocks, dict) else [blocks]
    for network in filter(None, (model.network_, model.projector_, *apart)):
        # A layer without weights of its own would cost nothing to name, and much to make.
        sizes = getattr(network, "hidden_layer_sizes", ())
        _need(len(sizes) <= len(weights), "a network has more layers than weights_")
    _need(1 <= model._width < 2**31, "_width is no width")
    same = type(source) is not TableInput or bool(source.standardize) == (source.scale_ is not None)
    _need(same, "scale_ and standardize do not agree")
    with torch.device("meta"):  # shapes, without memory
        module, _ = build_module(vars(model), source.layout, DTYPES[model.precision])
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    given = {name: array.shape for name, array in weights.items()}
    _need(given == expected, "weights_ are not those of network_, projector_ and input_")
    _output(model.output_, source, model._width)
    if hasattr(model, "memory_"):
        memory(model.memory_, source)
    _need(model.n_components_ == model.output_.width(model._width), "n_components_ is another")


def _output(output, source, learned):
    if not output.parts:
        return
    parts, names = output.parts_, set(output.part_columns_)
    first, width = parts["columns"], source.n_features
    kinds = {"columns": "Columns", "ranks": "Ranks", "patterns": "Patterns", "kernel": "Kernel"}
    kinds["neighborhood"] = "Neighborhood"
    _need(all(type(p).__name__ == kinds.get(n) for n, p in parts.items()), "parts_ are others")
    if first.components_ is not None:
        rows = vars(first).get("rows_")
        seen = first.components_.shape[1] if rows is None else rows.shape[0]
        _need(seen == width, "components_ are of other columns")
    shown = width if first.components_ is None else len(first.components_)
    widths, lifted = {"columns": shown, "learned": learned}, first.n_compared(shown)
    if "ranks" in parts:
        columns = parts["ranks"].columns_
        _need(columns.max(initial=-1) < width, "ranks are of a column that there is not")
        widths["ranks"] = len(columns)
    if "patterns" in parts:
        part = parts["patterns"]
        _need(part.height * part.width == width, "patterns are of rows of another length")
        widths["patterns"] = len(part.mean_)
    lifted += widths.get("ranks", 0) + widths.get("patterns", 0)
    for name, array in (("kernel", "landmarks_"), ("neighborhood", "references_")):
        if name in parts:
            _need(getattr(parts[name], array).shape[1] == lifted, f"{name} is of other columns")
            widths[name] = lifted if name == "neighborhood" else len(parts[name].landmarks_)
    for name, mean in output.part_means_.items():
        _need(mean.shape == (widths[name],), f"part_means_ of {name} have another length")
        _need(output.part_scales_[name] > 0, f"part_scales_ of {name} are not positive")
    for name, basis in output.bases_.items():
        _need(basis.ndim == 2 and len(basis) == widths[name], f"bases_ of {name} have other rows")
        widths[name] = basis.shape[1]
    _need(names <= widths.keys() <= names | {"columns"}, "part_columns_ are of other parts")
    stop = 0
    for name, (start, end) in output.part_columns_.items():
        _need(start == stop and end - start == widths[name], "part_columns_ do not follow")
        stop = end
    absent_maps(vars(output).get("absent_"), source, learned)
    if output.n_components is not None:
        _need(len(output.mean_) == stop, "directions_ are of other columns")


def _of_width(model):
    """Rows are as wide as what reads them says; folders of earlier versions hold no input_."""
    source = vars(model).get("input_")
    width = model.n_features_in_ if source is None else source.n_features
    same = source is None or source.n_features_in_ == model.n_features_in_
    for name in ("X_fit_", "coef_", "means_", "class_embeddings_"):
        same = same and (name not in vars(model) or getattr(model, name).shape[1] == width)
    _need(same, "input_ reads rows of another width")
    return width


def _adapter(model):
    width = _of_width(model)
    for name in ("_support", "_factor"):
        kept = getattr(model, name, None) or {}
        arrays = {k: v for k, v in kept.items() if isinstance(v, np.ndarray)}
        numbers = all(np.isfinite(v).all() for v in arrays.values())
        n = {len(v) for v in arrays.values()}
        _need(numbers and len(n) <= 1, f"{name} holds arrays of different lengths, or NaN")
    support, c = getattr(model, "_support", None) or {}, model.n_targets_
    if support:
        shapes = [support["X"].shape[1:], support["Y"].shape[1:], support["weight"].shape[1:]]
        _need(shapes == [(width,), (c,), ()], "_support has other columns")
        codes = support["codes"]
        in_range = codes is None or codes.dtype.kind in "iu" and codes.ndim == 1
        in_range = in_range and (codes is None or ((codes >= 0) & (codes < c)).all())
        _need(in_range, "_support has codes of classes that there are not")
        if "X_fit_" in vars(model):
            _need(len(model.X_fit_) == len(support["X"]), "_support and X_fit_ differ")
    part = getattr(model, "_base_part", None) or {"weight": 0.0, "unit": 0.0}
    shown = part.get("shown", np.ones(c, dtype=bool))
    fits = np.isfinite([part["weight"], part["unit"]]).all() and shown.dtype == bool
    _need(fits and shown.shape == (c,), "_base_part is of other classes, or holds NaN")
    kernel = getattr(model, "kernel_", None)
    for part in (kernel, *kernel.get_params().values()) if kernel is not None else ():
        most = getattr(part, "n_projections", None) or 0
        _need(most <= MOST_PROJECTIONS, "a kernel has too many n_projections")
    if model.estimator_ is not None and hasattr(model.estimator_, "n_features_in_"):
        _need(
            model.estimator_.n_features_in_ == model.n_features_in_, "the base reads other columns"
        )


def _head(model):
    head = getattr(model, "classifier_", None) or getattr(model, "regressor_", None)
    source = model.encoder_.input_
    width, own = model.encoder_._width + model._n_raw, vars(model).get("_output")
    if own is not None:
        _output(own, source, model.encoder_._width)
        width = own.width(model.encoder_._width)
    else:
        _need("_embedding_scale" in vars(model), "_embedding_scale is missing")
    raw = (0, source.n_features) if source.parts else (0,)
    _need(model._n_raw in raw, "_n_raw is not the number of columns")
    if head is not None and hasattr(head, "n_features_in_"):
        _need(head.n_features_in_ == width, "the head reads other columns")
    if hasattr(head, "classes_"):
        same = np.array_equal(np.asarray(head.classes_), np.asarray(model.classes_))
        _need(same, "the head knows other classes")
    intervals = vars(model).get("_intervals")
    if intervals is not None:
        shape = (model.encoder_._width, len(model.target_mean_))
        found = intervals.rows_.shape[1], len(intervals.floor_)
        _need(found == shape, "_intervals are of another embedding or target")


def _weighted(model):
    weight = np.asarray(model.weight)
    fits = weight.shape == model.classes_.shape and np.isfinite(weight).all() and weight.max() > 0
    _need(fits and (weight >= 0).all(), "weight is not one number a class")


def _words(model):
    _need(getattr(model, "ngram", 1) <= MOST_WORDS, f"ngram is above {MOST_WORDS}")


def _phrases(model):
    whole = all(isinstance(p, dict) for p in model._passes) and model._passes
    _need(whole, "_passes hold something else than phrases")


def _linear(model):
    coef = model.coef_
    _need(coef.ndim <= 2 and coef.shape[-1] == model.n_features_in_, "coef_ is of other columns")
    _need(np.isfinite(model.intercept_).all(), "intercept_ is not finite")
    n = 1 if coef.ndim == 1 else len(coef)
    _need(np.size(model.intercept_) in (1, n), "intercept_ is of other targets")
    classes = getattr(model, "classes_", None)
    if classes is not None:
        _need(n == (1 if len(classes) == 2 else len(classes)), "coef_ is of other classes")


def _stacking(model):
    members, final = model.estimators_, model.final_estimator_
    whole = set(model.stack_method_) == {"predict"} and len(members) == len(model.stack_method_)
    _need(whole and hasattr(final, "predict"), "a stack has other stack_method_ than members")
    read = getattr(final, "n_features_in_", len(members))
    _need(read == len(members), "final_estimator_ reads other members")
    _each(model)


def _columns_apart(model):
    n, names = model.n_features_in_, [entry[0] for entry in model.transformers_]
    fits = all(len(entry) == 3 and transforms(entry[1]) for entry in model.transformers_)
    _need(fits and len(set(names)) == len(names), "transformers_ are no named transformers")
    _need(set(names) <= model.output_indices_.keys(), "output_indices_ are of other transformers")
    known = set(getattr(model, "feature_names_in_", ()))
    for columns in (*model._columns, *(entry[2] for entry in model.transformers_)):
        listed = isinstance(columns, (list, tuple, np.ndarray))
        ends = [columns.start, columns.stop] if isinstance(columns, slice) else [columns]
        for column in columns if listed else ends:
            mask = isinstance(column, (bool, np.bool_)) and listed and len(columns) == n
            place = isinstance(column, (int, np.integer)) and -n <= column < n + (not listed)
            place = mask or place and not isinstance(column, bool)
            fits = column is None and not listed or place or column in known
            _need(fits, f"{column!r:.40} is no column")


def _categories(model):
    """A column's categories, those that share a place, and how many places they have in all."""
    n = model.n_features_in_
    _need(len(model.categories_) == n, "categories_ are of other columns")
    whole = all(isinstance(x, np.ndarray) and x.ndim == 1 for x in model.categories_)
    _need(whole, "categories_ are no arrays")
    enabled, none = model._infrequent_enabled, [None] * n
    rare = model._infrequent_indices if enabled else none
    places = model._default_to_infrequent_mappings if enabled else none
    _need(len(rare) == len(places) == n, "infrequent categories are of other columns")
    for i, kept in enumerate(model.categories_):
        width = len(kept)
        if places[i] is not None:
            place, width = places[i], width - len(rare[i]) + 1
            fits = place.dtype.kind in "iu" and place.shape == kept.shape and place.min() >= 0
            _need(fits and place.max() < width, "infrequent categories have other places")
        if hasattr(model, "_n_features_outs"):
            dropped = model._drop_idx_after_grouping
            dropped = None if dropped is None else dropped[i]
            _need(dropped is None or 0 <= dropped < width, "drop_idx_ is no category")
            width -= dropped is not None
            _need(model._n_features_outs[i] == width, "_n_features_outs are of other categories")

    missing = getattr(model, "_missing_indices", {})
    whole = all(isinstance(i, int) for item in missing.items() for i in item)
    _need(whole, "_missing_indices are no places")


def _bayes(model):
    _need(abs(model.class_prior_.sum() - 1) < 1e-3, "class_prior_ is not 1 in all")


def _words_of_vectorizer(model):
    weights, words = vars(model._tfidf).get("idf_"), vars(model).get("vocabulary_")
    fits = weights is None or words is None or len(weights) == len(words)
    _need(fits, "idf_ is of other words than vocabulary_")


def _each(model):
    _need(all(hasattr(one, "predict") for one in model.estimators_), "a member has no predict")


RELATIONS = {
    "ColumnTransformer": _columns_apart,
    "GaussianNB": _bayes,
    "OneHotEncoder": _categories,
    "OrdinalEncoder": _categories,
    "TfidfVectorizer": _words_of_vectorizer,
    "StackingRegressor": _stacking,
    "MultiOutputRegressor": _each,
    "BaseContrastive": _trained,
    "BackboneInput": _backbone,
    "BlocksInput": blocks_input,
    "CanonicalCorrelation": canonical,
    "ContrastivePCA": _of_columns,
    "CorrelationAlignment": _of_columns,
    "ContrastiveAnomalyDetector": detector,
    "LabelCredibility": label_credibility,
    "TableInput": _table_input,
    "FrameColumns": _frame_columns,
    "TextInput": _text_input,
    "SeriesInput": _series_input,
    "RecordingInput": _recording_input,
    "ConvolvedSeriesInput": _convolved_input,
    "Convolutions": _convolutions,
    "RandomConvolutions": _random_convolutions,
    "Patterns": _patterns,
    "BaseProKeR": _adapter,
    "TangentSurrogate": _of_width,
    "ZeroShotClassifier": _of_width,
    "SupervisedContrastiveClassifier": _head,
    "SupervisedContrastiveRegressor": _head,
    "WeightedProbabilities": _weighted,
    "Sent2VecVectorizer": _words,
    "PhraseTransformer": _phrases,
    **SEARCHES,
    **dict.fromkeys(LINEAR, _linear),
}
