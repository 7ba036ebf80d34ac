"""Real data sets for the benchmarks: tables, texts, series, images and embeddings of a folder.

The folder holds ``MANIFEST.csv`` and the files that it names; see the benchmarks' help.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler

MAX_ROWS = 3000


def manifest(folder):
    return pd.read_csv(Path(folder) / "MANIFEST.csv", keep_default_na=False)


def classification_tables(folder):
    """Names of the tables with a class as target."""
    rows = manifest(folder)
    chosen = (rows.group == "tabular") & rows.task.str.startswith("classification")
    return sorted(rows.name[chosen])


def regression_tables(folder):
    """Names of the tables with a number as target."""
    rows = manifest(folder)
    chosen = (rows.group == "tabular") & rows.task.str.startswith("regression")
    return sorted(rows.name[chosen])


def load_regression(folder, name):
    """Columns (a data frame) and target of a regression table, at most 4,000 rows."""
    row = manifest(folder).set_index("name").loc[name]
    frame = pd.read_csv(Path(folder) / row.files.split(";")[0])
    target = row.target if row.target in frame else frame.columns[-1]
    order = np.random.default_rng(0).permutation(len(frame))[:4000]
    frame = frame.iloc[order].reset_index(drop=True)
    y = frame[target].to_numpy(dtype=np.float64)
    return frame.drop(columns=[target, "split"], errors="ignore"), y


def texts(folder):
    """Names of the text sets with a class as target."""
    rows = manifest(folder)
    return sorted(rows.name[rows.group == "text"])


def classification_sets(folder):
    """Name -> kind of every set with a class as target; sorted by name.

    The embeddings of a text set are a set of their own, ``<name>_minilm``.
    """
    rows = manifest(folder)
    found = dict.fromkeys(classification_tables(folder), "table")
    found |= dict.fromkeys(rows.name[rows.group == "text"], "text")
    found |= dict.fromkeys(rows.name[rows.group == "timeseries"], "series")
    found |= dict.fromkeys(rows.name[rows.group == "images"], "image")
    embedded = sorted((Path(folder) / "embeddings").glob("*.npz"))
    found |= {f"{path.stem}_minilm": "embedding" for path in embedded}
    return dict(sorted(found.items()))


def subsample(n, y, seed, max_rows=MAX_ROWS, min_class=30, max_classes=None):
    """Row numbers of at most max_rows rows, and of classes with at least min_class rows."""
    values, counts = np.unique(y, return_counts=True)
    values = values[counts >= min_class]
    rng = np.random.default_rng(seed)
    if max_classes is not None and len(values) > max_classes:
        values = rng.permutation(values)[:max_classes]
    return rng.permutation(np.flatnonzero(np.isin(y, values)))[:max_rows]


def load(folder, name):
    """Features (a data frame of columns, or a list of texts) and codes of the classes."""
    features, y = read_table(folder, manifest(folder).set_index("name").loc[name])
    order = subsample(len(y), y, seed=0)
    return take(features, order), LabelEncoder().fit_transform(y[order])


def load_any(folder, name, kind, max_rows, seed):
    """As ``load``, of every kind of set; of series, images and embeddings a matrix.

    Classes have at least 30 rows (of the small series and image sets 10), and are at most
    20: where there are more, 20 of them are drawn by the seed, as the rows are.
    """
    if kind == "embedding":
        features, y = read_embedding(folder, name.removesuffix("_minilm"))
    else:
        read = {"series": read_series, "image": read_images}.get(kind, read_table)
        features, y = read(folder, manifest(folder).set_index("name").loc[name])
    small = kind in ("series", "image")
    order = subsample(len(y), y, seed, max_rows, 10 if small else 30, 20)
    return take(features, order), LabelEncoder().fit_transform(y[order])


def take(features, rows):
    """The rows of a list of texts, a data frame (its index starts anew) or a matrix."""
    if isinstance(features, list):
        return [features[i] for i in rows]
    if isinstance(features, pd.DataFrame):
        return features.iloc[rows].reset_index(drop=True)
    return features[rows]


def read_table(folder, row):
    frame = pd.read_csv(Path(folder) / row.files.split(";")[0], keep_default_na=row.group != "text")
    target = row.target if row.target in frame else frame.columns[-1]
    y = LabelEncoder().fit_transform(frame[target].astype(str))
    if row.group == "text":
        return frame["text"].tolist(), y
    return frame.drop(columns=[target, "split"], errors="ignore"), y


def read_series(folder, row):
    """Series laid out as rows: channel after channel, NaN where one is shorter."""
    X, y = read_collection(folder, row)
    return X.reshape(len(X), -1), y


def read_collection(folder, row):
    """Series (n, n_channels, length), NaN where one is shorter, and codes of their classes."""
    paths = [Path(folder) / file for file in row.files.split(";")]
    if paths[0].suffix == ".npz":
        with np.load(paths[0]) as file:
            X = np.concatenate([file["X_train"], file["X_test"]])
            y = np.concatenate([file["y_train"], file["y_test"]])
    else:
        table = pd.concat([pd.read_csv(p, sep="\t", header=None) for p in paths]).to_numpy()
        X, y = table[:, None, 1:], table[:, 0]
    return X.astype(np.float64), LabelEncoder().fit_transform(y)


def read_images(folder, row):
    """Pixels as rows; images of more than 32 by 32 pixels are halved by means of four."""
    path = Path(folder) / row.files.split(";")[0]
    if path.suffix == ".npz":
        with np.load(path) as file:
            X, y = file["X"], file["y"]
    else:
        file = loadmat(path)
        if "faces" in file:
            X = file["faces"].T.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))
            y = np.arange(len(X)) // 10
        else:
            X, y = file["X"], file["Y"].ravel()
    return X.reshape(len(X), -1).astype(np.float64), LabelEncoder().fit_transform(y)


def read_embedding(folder, name):
    with np.load(Path(folder) / "embeddings" / f"{name}.npz") as file:
        return file["X"].astype(np.float64), LabelEncoder().fit_transform(file["y"])


def featurizer(features):
    """Unfitted transformer from what ``load`` gives to a matrix of standardised columns."""
    if isinstance(features, list):
        return TfidfVectorizer(min_df=2, sublinear_tf=True, max_features=20_000, dtype=np.float32)
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    if isinstance(features, np.ndarray):
        return numeric
    onehot = OneHotEncoder(
        min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    return make_column_transformer(
        (numeric, make_column_selector(dtype_include="number")),
        (onehot, make_column_selector(dtype_exclude="number")),
    )
