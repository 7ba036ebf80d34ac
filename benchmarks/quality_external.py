"""Rows of other packages: UMAP, CEBRA, and SCARF and VIME of TabularS3L, if installed."""

import importlib.util
import warnings

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.decomposition import PCA, TruncatedSVD

NEEDS = {"umap": "umap", "cebra": "cebra", "scarf": "ts3l", "vime": "ts3l"}
PACKAGES = {"umap": "umap-learn", "cebra": "cebra", "scarf": "ts3l", "vime": "ts3l"}


def missing(row):
    """Why a row cannot be measured here, or None."""
    if row in NEEDS and importlib.util.find_spec(NEEDS[row]) is None:
        return f"row {row!r} is left out: it needs the package {PACKAGES[row]}"
    return None


def width(X, most):
    return min(most, min(X.shape) - 1)


def narrow(train, test, seed, most):
    """Dense rows for methods that cannot take many or sparse columns."""
    if not sp.issparse(train) and train.shape[1] <= most:
        return train, test
    model = (TruncatedSVD if sp.issparse(train) else PCA)(width(train, most), random_state=seed)
    return model.fit_transform(train), model.transform(test)


def umap(train, test, seed):
    from umap import UMAP

    metric = "cosine" if sp.issparse(train) else "euclidean"
    size = width(train, 16)
    model = UMAP(n_components=size, metric=metric, n_epochs=200, random_state=seed, n_jobs=1)
    return model.fit_transform(train), model.transform(test)


def cebra(train, test, seed):
    """CEBRA with the labels as its behaviour variable."""
    from cebra import CEBRA

    train, test = (np.asarray(X, dtype=np.float32) for X in narrow(train, test, seed, 256))

    def learn(rows, codes):
        torch.manual_seed(seed)
        model = CEBRA(
            model_architecture="offset1-model",
            batch_size=256,
            max_iterations=500,
            output_dimension=width(train, 32),
            device="cpu",
        )
        model.fit(train[rows], codes)
        return model.transform(train), model.transform(test)

    return learn


def pretrain(make, train, test, seed, n_epochs=50, batch_size=256):
    """Features of an encoder of TabularS3L after its first phase.

    Parameters
    ----------
    make : function of a frame that gives its Lightning module and its data set
    """
    import pandas as pd

    train, test = (np.array(X, dtype=np.float32) for X in narrow(train, test, seed, 256))
    with warnings.catch_warnings():
        # Its data sets take tensors of read-only columns of a frame, and only read them.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        module, rows = make(pd.DataFrame(train), seed)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    rng = np.random.default_rng(seed)
    for _ in range(n_epochs):
        order = rng.permutation(len(train))
        # A single row would be too few for batch normalisation.
        for chosen in np.array_split(order, max(1, len(order) // batch_size)):
            items = [rows[i] for i in chosen]
            loss = module._get_first_phase_loss(tuple(map(torch.stack, zip(*items))))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model = module.model.eval()
    with torch.no_grad():
        return tuple(
            model.encoder(model.embedding_module(torch.from_numpy(X))).numpy()
            for X in (train, test)
        )


def shared_settings(frame, seed):
    """What the configurations of both have in common."""
    from ts3l.utils.backbone_utils import MLPBackboneConfig
    from ts3l.utils.embedding_utils import IdentityEmbeddingConfig

    size = frame.shape[1]
    return {
        "task": "classification",
        "loss_fn": "CrossEntropyLoss",
        "metric": "accuracy_score",
        "embedding_config": IdentityEmbeddingConfig(input_dim=size),
        "backbone_config": MLPBackboneConfig(input_dim=size, hidden_dims=256, output_dim=256),
        "output_dim": 2,
        "random_seed": seed,
    }


class NTXent(torch.nn.Module):
    """NT-Xent of rows of length one at temperature one."""

    def forward(self, a, b):
        z = torch.cat([a, b])
        scores = (z @ z.T).fill_diagonal_(-torch.inf)
        partner = torch.arange(len(z)).roll(len(a))
        return torch.nn.functional.cross_entropy(scores, partner)


def scarf(train, test, seed):
    """Rows with other rows' values in 60 % of the columns, as in the paper."""
    from ts3l.pl_modules import SCARFLightning
    from ts3l.utils.scarf_utils import SCARFConfig, SCARFDataset

    def make(frame, seed):
        config = SCARFConfig(**shared_settings(frame, seed), corruption_rate=0.6, tau=1.0)
        columns = {"continuous_cols": list(frame), "category_cols": []}
        module = SCARFLightning(config)
        # Its own takes seconds a batch: it broadcasts all pairs before it sums columns.
        module.contrastive_loss = NTXent()
        return module, SCARFDataset(frame, config=config, **columns)

    return pretrain(make, train, test, seed)


def vime(train, test, seed):
    from ts3l.pl_modules import VIMELightning
    from ts3l.utils.vime_utils import VIMEConfig, VIMEDataset

    def make(frame, seed):
        config = VIMEConfig(
            **shared_settings(frame, seed), num_continuous=frame.shape[1], cat_cardinality=[]
        )
        columns = {"continuous_cols": list(frame), "category_cols": []}
        return VIMELightning(config), VIMEDataset(frame, config=config, **columns)

    return pretrain(make, train, test, seed)
