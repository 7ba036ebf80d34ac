"""scikit-learn's estimators that a saved model may hold: linear ones, and the default head's.

Of trees the nodes are kept as arrays, one for each field. They are written into a small model that
is fitted where the folder is loaded, so nothing depends on how scikit-learn pickles them.
"""

from importlib import import_module

import numpy as np

MOST_JOBS = 1024
# Where each class is imported from, and what it has learned beside its parameters.
_PLACES = {
    "ExtraTreesRegressor": ("ensemble", None),
    "FrozenEstimator": ("frozen", ()),
    "HistGradientBoostingRegressor": ("ensemble", None),
    "KFold": ("model_selection", ()),
    "LinearRegression": ("linear_model", ("n_features_in_", "coef_", "intercept_")),
    "LogisticRegression": (
        "linear_model",
        ("n_features_in_", "classes_", "coef_", "intercept_", "n_iter_"),
    ),
    "MultiOutputRegressor": ("multioutput", ("n_features_in_", "estimators_")),
    "Pipeline": ("pipeline", ()),
    "Ridge": ("linear_model", ("n_features_in_", "coef_", "intercept_", "n_iter_", "solver_")),
    "StackingRegressor": (
        "ensemble",
        ("estimators_", "final_estimator_", "stack_method_", "_n_feature_outs"),
    ),
    "StandardScaler": (
        "preprocessing",
        ("n_features_in_", "mean_", "var_", "scale_", "n_samples_seen_"),
    ),
}


def class_of(name):
    """The class of a name in a folder."""
    if name not in _PLACES:
        raise ValueError(f"{name!r} is not an estimator of scikit-learn that is saved")
    return getattr(import_module(f"sklearn.{_PLACES[name][0]}"), name)


def is_saved(value):
    """Whether a value is one of these estimators."""
    name = type(value).__name__
    if not type(value).__module__.startswith("sklearn.") or name not in _PLACES:
        return False
    return type(value) is class_of(name)


def params_of(value):
    """Parameters of one of them; a splitter has no ``get_params``."""
    return value.get_params(deep=False) if hasattr(value, "get_params") else vars(value)


def learned(model):
    """What an estimator has learned, as values and arrays."""
    name = type(model).__name__
    if name == "ExtraTreesRegressor":
        return _of_forest(model)
    if name == "HistGradientBoostingRegressor":
        return _of_boosting(model)
    names = (*_PLACES[name][1], "feature_names_in_")
    return {key: vars(model)[key] for key in names if key in vars(model)}


def made(cls, params, fitted):
    """An estimator with these parameters and what :func:`learned` gave."""
    if params.get("memory") is not None:
        raise ValueError("a Pipeline has a memory, which reads pickles of a folder")
    n_jobs = params.get("n_jobs")
    if n_jobs is not None and not (isinstance(n_jobs, int) and abs(n_jobs) <= MOST_JOBS):
        raise ValueError(f"n_jobs={n_jobs!r} of a {cls.__name__} is no number of threads")
    if cls.__name__ == "Pipeline":
        for step in params["steps"][:-1]:
            if not hasattr(step[1], "transform"):
                raise ValueError("a Pipeline has a step that does not transform")
    model = cls(**params)
    if hasattr(model, "_validate_params"):
        model._validate_params()
    if not fitted:
        return model
    if cls.__name__ == "ExtraTreesRegressor":
        return _made_forest(model, **fitted)
    if cls.__name__ == "HistGradientBoostingRegressor":
        return _made_boosting(model, **fitted)
    for name, content in fitted.items():
        if name not in (*_PLACES[cls.__name__][1], "feature_names_in_"):
            raise ValueError(f"{name!r} is not what a {cls.__name__} learns")
        setattr(model, name, content)
    if cls.__name__ == "StackingRegressor":
        names = [name for name, member in model.estimators if not isinstance(member, str)]
        model.named_estimators_ = import_module("sklearn.utils").Bunch(
            **dict(zip(names, model.estimators_, strict=True))
        )
    return model


# ------------------------------------------------------------------------------ trees


def _joined(tables):
    """Nodes of several trees as one array for each field, and how many nodes each tree has."""
    sizes = np.array([len(table) for table in tables], dtype=np.int64)
    table = np.concatenate(tables)
    return {name: table[name].copy() for name in table.dtype.names}, sizes


def _split(fields, sizes, dtype):
    """The nodes of each tree, in the fields that this version of scikit-learn has."""
    sizes = sizes.tolist()
    n = sum(sizes)
    if min(sizes, default=0) < 1 or any(column.shape != (n,) for column in fields.values()):
        raise ValueError("the fields of the trees have other lengths than their nodes")
    table = np.zeros(n, dtype=dtype)
    for name in dtype.names:
        if name in fields:
            table[name] = fields[name]
    return np.split(table, np.cumsum(sizes)[:-1])


def _check_nodes(left, right, inner, feature, n_features):
    """Refuse nodes that would read other memory, or go in circles; gives the depth of the tree."""
    here, n = np.flatnonzero(inner), len(inner)
    for child in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        # Children come after their parents, so that each way ends.
        if (child <= here).any() or (child >= n).any():
            raise ValueError("a tree has a node whose children are none of its later nodes")
    used = feature[inner].astype(np.int64)
    if (used < 0).any() or (used >= n_features).any():
        raise ValueError("a tree asks for a column that there is not")
    level, depth = np.flatnonzero(inner[:1]), 0
    while len(level):
        below = np.unique(np.concatenate([left[level], right[level]]).astype(np.int64))
        level, depth = below[inner[below]], depth + 1
    return depth


def _of_forest(model):
    if "estimators_" not in vars(model):
        return {}
    trees = [tree.tree_.__getstate__() for tree in model.estimators_]
    fields, sizes = _joined([tree["nodes"] for tree in trees])
    return {
        "n_features_in_": model.n_features_in_,
        "sizes": sizes,
        "nodes": fields,
        "values": np.concatenate([tree["values"] for tree in trees]),
    }


def _made_forest(model, n_features_in_, sizes, nodes, values):
    if values.ndim != 3 or values.shape[2] != 1 or len(values) != sizes.sum():
        raise ValueError("the values of a forest have another shape than its nodes")
    if not np.isfinite(values).all() or len(sizes) != model.n_estimators:
        raise ValueError("a forest has other trees than n_estimators, or NaN")
    n_outputs = values.shape[1]
    y = np.zeros((2, n_outputs)) if n_outputs > 1 else np.zeros(2)
    small = type(model)(n_estimators=1, random_state=0).fit(np.zeros((2, 1)), y)
    tree = small.estimators_[0]
    kind, dtype = type(tree.tree_), tree.tree_.__getstate__()["nodes"].dtype
    parts = np.split(values, np.cumsum(sizes)[:-1])
    model.estimators_ = []
    for table, value in zip(_split(nodes, sizes, dtype), parts, strict=True):
        inner = table["left_child"] >= 0
        args = table["left_child"], table["right_child"], inner, table["feature"]
        depth = _check_nodes(*args, n_features_in_)
        if (table["left_child"][~inner] != -1).any():
            raise ValueError("a tree has a leaf with a child")
        grown = kind(n_features_in_, np.ones(n_outputs, dtype=np.intp), n_outputs)
        sizes_of = {"max_depth": depth, "node_count": len(table)}
        grown.__setstate__({**sizes_of, "nodes": table, "values": value})
        one = type(tree)(**tree.get_params())
        vars(one).update(n_features_in_=n_features_in_, n_outputs_=n_outputs, tree_=grown)
        one.max_features_ = n_features_in_
        model.estimators_.append(one)
    model.estimator_ = small.estimator_
    model.n_features_in_, model.n_outputs_ = n_features_in_, n_outputs
    return model


def _of_boosting(model):
    if "_predictors" not in vars(model):
        return {}
    if model.is_categorical_ is not None:
        raise TypeError(
            "a HistGradientBoostingRegressor with categorical columns cannot be saved without "
            "code: use pickle or joblib."
        )
    fields, sizes = _joined([one.nodes for step in model._predictors for one in step])
    return {
        "n_features_in_": model.n_features_in_,
        "baseline": np.asarray(model._baseline_prediction),
        "sizes": sizes,
        "nodes": fields,
    }


def _made_boosting(model, n_features_in_, baseline, sizes, nodes):
    if baseline.shape != (1, 1) or not np.isfinite([*baseline.ravel(), *nodes["value"]]).all():
        raise ValueError("a boosting has a baseline that is no number, or values that are none")
    small = type(model)(max_iter=1, loss=model.loss).fit(np.zeros((2, 1)), np.ones(2))
    example = small._predictors[0][0]
    tables = _split(nodes, sizes, example.nodes.dtype)
    for table in tables:
        inner = table["is_leaf"] == 0
        _check_nodes(table["left"], table["right"], inner, table["feature_idx"], n_features_in_)
        if table["is_categorical"].any():
            raise ValueError("a tree asks for categories that there are not")
    none = example.binned_left_cat_bitsets, example.raw_left_cat_bitsets
    learned_here = {k: v for k, v in vars(small).items() if k not in small.get_params()}
    vars(model).update(learned_here)
    model._predictors = [[type(example)(table, *none)] for table in tables]
    model._baseline_prediction, model.n_features_in_ = baseline, n_features_in_
    model._n_features = n_features_in_
    return model
