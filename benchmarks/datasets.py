"""Real data sets for the benchmarks: tables and texts of a data folder.

The folder holds ``MANIFEST.csv`` and the files that it names; see the benchmarks' help.
"""

from pathlib import Path

import numpy as np
import pandas as pd
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


def subsample(n, y, seed):
    """Row numbers of at most MAX_ROWS rows, and of classes with at least 30 rows."""
    values, counts = np.unique(y, return_counts=True)
    kept = np.flatnonzero(np.isin(y, values[counts >= 30]))
    rng = np.random.default_rng(seed)
    return rng.permutation(kept)[:MAX_ROWS]


def load(folder, name):
    """Features (a data frame of columns, or a list of texts) and codes of the classes."""
    row = manifest(folder).set_index("name").loc[name]
    path = Path(folder) / row.files.split(";")[0]
    frame = pd.read_csv(path, keep_default_na=row.group != "text")
    target = row.target if row.target in frame else frame.columns[-1]
    y = LabelEncoder().fit_transform(frame[target].astype(str))
    order = subsample(len(frame), y, seed=0)
    frame, y = frame.iloc[order], LabelEncoder().fit_transform(y[order])
    if row.group == "text":
        return frame["text"].tolist(), y
    return frame.drop(columns=[target, "split"], errors="ignore").reset_index(drop=True), y


def featurizer(features):
    """Unfitted transformer from what ``load`` gives to a matrix of standardised columns."""
    if isinstance(features, list):
        return TfidfVectorizer(min_df=2, sublinear_tf=True, max_features=20_000, dtype=np.float32)
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    onehot = OneHotEncoder(
        min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    return make_column_transformer(
        (numeric, make_column_selector(dtype_include="number")),
        (onehot, make_column_selector(dtype_exclude="number")),
    )
