"""What is compared: representations learned without labels, with them, and other classifiers.

``representation`` gives, by the name of a row, a function of the training rows, the test
rows and a seed that gives the features of both.
"""

import warnings

import numpy as np
import scipy.sparse as sp
from quality_external import narrow, scarf, umap, vime
from quality_probes import one_scale
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.neural_network import MLPRegressor

import skcontrast
from skcontrast import ContrastiveEncoder, networks, objectives, optimizers, samplers, views
from skcontrast.networks import MLP
from skcontrast.objectives import InfoNCE

BESIDE = "raw + "
# Its row reads the columns of a table as they are: a DataFrame with categories and NaN.
FRAME_ROW = "ContrastiveEncoder (DataFrame)"
# Changes of one parameter each, to decide on a default.
VARIANTS = {
    "mlp projector": {"projector": "mlp"},
    "all views changed": {"clean_anchor": False},
    "corruption only": {"views": "corruption"},
    "neighbors only": {"views": "neighbors"},
    "64 components": {"n_components": 64},
    "temperature 0.1": {"objective": InfoNCE(0.1)},
    "temperature 0.5": {"objective": InfoNCE(0.5)},
    "decoupled": {"objective": "decoupled"},
    "no skip": {"network": MLP(skip=False)},
    "one hidden layer": {"network": MLP((256,))},
    "50 epochs": {"max_iter": 50},
}
# What a row such as "ContrastiveEncoder(objective=InfoNCE(0.1))" may name.
NAMES = {name: getattr(skcontrast, name) for name in skcontrast.__all__}
for module in (views, networks, objectives, optimizers, samplers):
    NAMES |= vars(module)


def raw(train, test, seed):
    return train, test


def pca(train, test, seed):
    return narrow(train, test, seed, 64)


def pca_16(train, test, seed):
    return narrow(train, test, seed, 16)


def median_gamma(X):
    """Inverse of the median squared distance, as a user would set the width of a kernel."""
    rows = X[:500].toarray() if sp.issparse(X) else X[:500]
    norm = (rows**2).sum(axis=1)
    squared = norm[:, None] + norm - 2 * rows @ rows.T
    return 1 / np.median(squared[np.triu_indices(len(rows), 1)])


def nystroem(train, test, seed):
    model = Nystroem(
        gamma=median_gamma(train), n_components=min(300, train.shape[0]), random_state=seed
    )
    return model.fit_transform(train), model.transform(test)


def random_fourier(train, test, seed):
    model = RBFSampler(gamma=median_gamma(train), n_components=300, random_state=seed)
    return model.fit_transform(train), model.transform(test)


def autoencoder(train, test, seed):
    """The middle layer of a network trained to give its input back."""
    train, test = narrow(train, test, seed, 256)
    model = MLPRegressor(hidden_layer_sizes=(256, 64, 256), max_iter=60, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, train)

    def encode(X):
        for weights, intercept in zip(model.coefs_[:2], model.intercepts_[:2]):
            X = np.maximum(X @ weights + intercept, 0)
        return X

    return encode(train), encode(test)


# Name -> function of (training rows, test rows, seed) that gives the features of both.
BASELINES = {
    "raw": raw,
    "pca": pca,
    "pca 16": pca_16,
    "nystroem": nystroem,
    "rff": random_fourier,
    "autoencoder": autoencoder,
    "umap": umap,
    "scarf": scarf,
    "vime": vime,
}


def encoder(name):
    """Unfitted encoder of a row: the default, a variant, or an expression."""
    if name in ("default", FRAME_ROW):
        return ContrastiveEncoder()
    if name in VARIANTS:
        return ContrastiveEncoder(**VARIANTS[name])
    if name.endswith(")"):
        return eval(name, {"__builtins__": {}}, NAMES)
    raise ValueError(f"row {name!r} is not one of {[*BASELINES, 'default', *VARIANTS]}")


def beside(train, test, learned, learned_test):
    """Raw and learned columns, each block on the same scale."""
    stack = sp.hstack if sp.issparse(train) else np.hstack
    blocks = [one_scale(train, test), one_scale(learned, learned_test)]
    return tuple(stack(block) for block in zip(*blocks))


def representation(name):
    """Function of (train, test, seed) that gives the features of both."""
    if name in BASELINES:
        return BASELINES[name]
    model = encoder(name.removeprefix(BESIDE))

    def learn(train, test, seed):
        model.set_params(random_state=seed, device="cpu")
        learned, learned_test = model.fit_transform(train), model.transform(test)
        if name.startswith(BESIDE):
            return beside(train, test, learned, learned_test)
        return learned, learned_test

    return learn


def signature(name, known):
    """What a cached result depends on besides the name: the parameters of an encoder."""
    if name in known:
        return ""
    model = encoder(name.removeprefix(BESIDE))
    return repr({k: repr(v) for k, v in sorted(model.get_params(deep=False).items())})
