"""Forests and boosting of scikit-learn as arrays of nodes, and back.

The nodes are kept as arrays, one for each field. They are written into a small model that is
fitted where the folder is loaded, so nothing depends on how scikit-learn pickles them.
"""

import numpy as np


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


def of_forest(model):
    """What a forest has learned."""
    if "estimators_" not in vars(model):
        return {}
    trees = [tree.tree_.__getstate__() for tree in model.estimators_]
    fields, sizes = _joined([tree["nodes"] for tree in trees])
    return {
        "n_features_in_": model.n_features_in_,
        "sizes": sizes,
        "nodes": fields,
        "values": np.concatenate([tree["values"] for tree in trees]),
        **_classes_of(model),
    }


def _classes_of(model):
    """The classes of a classifier, as an entry of what it has learned."""
    if not hasattr(model, "classes_"):
        return {}
    if isinstance(model.classes_, list):
        raise TypeError(f"a {type(model).__name__} of several targets is not covered")
    return {"classes": model.classes_}


def _small(model, n_classes, n_outputs=1, **params):
    """A fitted model of the same kind, of one tree for each class."""
    y = np.arange(n_classes) if n_classes else np.zeros((2, n_outputs))
    y = y[:, 0] if y.ndim == 2 and n_outputs == 1 else y
    if hasattr(model, "loss"):
        y, params = y + (not n_classes), {**params, "loss": model.loss}
    return type(model)(**params).fit(np.zeros((len(y), 1)), y)


def _check_classes(model, classes):
    """How many there are, 0 of a regressor."""
    if hasattr(model, "predict_proba") != (classes is not None):
        raise ValueError(f"a {type(model).__name__} has no classes, or has some and is none")
    if classes is None:
        return 0
    if classes.ndim != 1 or not len(classes) or len(np.unique(classes)) != len(classes):
        raise ValueError(f"the classes of a {type(model).__name__} are no list of classes")
    return len(classes)


def made_forest(model, n_features_in_, sizes, nodes, values, classes=None):
    """A forest of what :func:`of_forest` gave."""
    n_classes = _check_classes(model, classes)
    wide = (1, n_classes) if n_classes else (*values.shape[1:2], 1)
    if values.ndim != 3 or values.shape[1:] != wide or len(values) != sizes.sum():
        raise ValueError("the values of a forest have another shape than its nodes")
    if not np.isfinite(values).all() or len(sizes) != model.n_estimators:
        raise ValueError("a forest has other trees than n_estimators, or NaN")
    n_outputs = values.shape[1]
    small = _small(model, n_classes, n_outputs, n_estimators=1, random_state=0)
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
        grown = kind(
            n_features_in_, np.full(n_outputs, max(1, n_classes), dtype=np.intp), n_outputs
        )
        sizes_of = {"max_depth": depth, "node_count": len(table)}
        grown.__setstate__({**sizes_of, "nodes": table, "values": value})
        one = type(tree)(**tree.get_params())
        vars(one).update(n_features_in_=n_features_in_, n_outputs_=n_outputs, tree_=grown)
        one.max_features_ = n_features_in_
        if n_classes:
            one.classes_, one.n_classes_ = np.arange(n_classes, dtype=np.float64), n_classes
        model.estimators_.append(one)
    model.estimator_ = small.estimator_
    if n_classes:
        model.classes_, model.n_classes_ = classes, n_classes
    model.n_features_in_, model.n_outputs_ = n_features_in_, n_outputs
    return model


def of_boosting(model):
    """What a boosting has learned."""
    if "_predictors" not in vars(model):
        return {}
    if model.is_categorical_ is not None:
        raise TypeError(f"a {type(model).__name__} with categorical columns is not covered")
    fields, sizes = _joined([one.nodes for step in model._predictors for one in step])
    return {
        "n_features_in_": model.n_features_in_,
        "baseline": np.asarray(model._baseline_prediction),
        "sizes": sizes,
        "nodes": fields,
        **_classes_of(model),
    }


def made_boosting(model, n_features_in_, baseline, sizes, nodes, classes=None):
    """A boosting of what :func:`of_boosting` gave."""
    n_classes = _check_classes(model, classes)
    k = n_classes if n_classes > 2 else 1  # trees of an iteration
    if (
        baseline.shape != (1, k)
        or len(sizes) % k
        or not np.isfinite([*baseline.ravel(), *nodes["value"]]).all()
    ):
        raise ValueError("a boosting has a baseline that is no number, or values that are none")
    small = _small(model, n_classes, max_iter=1)
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
    trees = [type(example)(table, *none) for table in tables]
    model._predictors = [trees[i : i + k] for i in range(0, len(trees), k)]
    model._baseline_prediction, model.n_features_in_ = baseline, n_features_in_
    model._n_features = n_features_in_
    if n_classes:
        model.classes_ = classes
    return model
