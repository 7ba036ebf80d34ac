"""What is special in one set against another, and classes carried from one domain to another.

    python benchmarks/contrast.py --data-dir DIR [--sets NAME ...] [--seeds N] [--write FILE]

A representation is made of a foreground and a background without the classes that the foreground
falls into. Of the foreground's rows: silhouette of these classes, adjusted Rand index of k-means
with as many clusters, and balanced accuracy of a logistic regression in five folds (by mouse where
rows repeat). ContrastivePCA has two components. CommonSalient is ContrastiveEncoder(24,
objective=CommonSalient(8), views=Corruption(0.3)); its figures are means over the seeds. "less k
directions" are the standardised columns with the first k components of ContrastivePCA projected
out: what a closed form leaves as common.

Domains are scikit-learn's digits and USPS averaged to 8 x 8, 1,797 rows each; the table has the
accuracy on all rows of the second, of which no label was seen, of one seed.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from domains import DOMAINS, domain_row
from record import Record
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, balanced_accuracy_score, silhouette_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder, ContrastivePCA
from skcontrast.objectives import CommonSalient
from skcontrast.views import Corruption


def table(folder, name, target, columns, group=None):
    """A CSV with a column ``role``: rows, which are background, classes and groups of the rest."""
    frame = pd.read_csv(folder / "contrastive" / name / f"{name}.csv.gz")
    frame = frame[frame.role != "unused"]
    background = (frame.role == "background").to_numpy()
    X = frame[columns(frame)].to_numpy(dtype=float)
    X = SimpleImputer(keep_empty_features=True).fit_transform(X)
    groups = None if group is None else group(frame)[~background]
    return X, background, frame[target].to_numpy()[~background], groups


def mice_protein(folder):
    def mouse(frame):
        return frame.MouseID.str.partition("_")[0].to_numpy()

    def proteins(frame):
        return [column for column in frame if column.endswith("_N")]

    return table(folder, "mice_protein", "Genotype", proteins, mouse)


def arrhythmia(folder):
    return table(folder, "arrhythmia", "diagnosis", lambda frame: list(frame)[:-2])


def weightlifting_har(folder):
    X, background, y, _ = table(folder, "weightlifting_har", "classe", lambda f: list(f)[:-2])
    rng = np.random.default_rng(0)
    kept = [rng.permutation(np.flatnonzero(m))[:2000] for m in (~background, background)]
    place = np.cumsum(~background) - 1
    X = np.vstack([X[rows] for rows in kept])
    return X, np.arange(len(X)) >= len(kept[0]), y[place[kept[0]]], None


def usps01_on_texture(folder):
    data = np.load(folder / "contrastive" / "usps01_on_texture" / "usps01_on_texture.npz")
    parts = [data[name].reshape(-1, 256).astype(float) for name in ("target", "background")]
    background = np.arange(sum(map(len, parts))) >= len(parts[0])
    return np.vstack(parts), background, data["y_target"], None


SETS = {
    "mice_protein": mice_protein,
    "usps01_on_texture": usps01_on_texture,
    "arrhythmia": arrhythmia,
    "weightlifting_har": weightlifting_har,
}


def measures(Z, y, groups):
    """Silhouette, Rand index and probe of rows."""
    folds = (
        GroupKFold(5) if groups is not None else StratifiedKFold(5, shuffle=True, random_state=0)
    )
    probe = LogisticRegression(max_iter=2000, class_weight="balanced")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer rows than folds
        found = cross_val_predict(
            make_pipeline(StandardScaler(), probe), Z, y, groups=groups, cv=folds
        )
        probed = balanced_accuracy_score(y, found)
    clusters = KMeans(len(np.unique(y)), n_init=10, random_state=0).fit_predict(Z)
    return {
        "silhouette": float(silhouette_score(Z, y)),
        "Rand index": float(adjusted_rand_score(y, clusters)),
        "probe": float(probed),
    }


def contrasted(X, background, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # components that vary less than in the background
        return ContrastivePCA(**params).fit(X, background=background)


def representations(X, background, row, seed):
    """The rows of the foreground, by what they are called in the table."""
    F = X[~background]
    scaled = StandardScaler().fit_transform(F)
    if row == "all columns":
        return {row: scaled}
    if row == "PCA":
        return {row: PCA(2).fit_transform(scaled)}
    if row == "CommonSalient":
        encoder = ContrastiveEncoder(
            24, objective=CommonSalient(8), views=Corruption(0.3), random_state=seed
        )
        Z = encoder.fit(X, condition=background).transform(F)
        return {f"{row}, salient": Z[:, -8:], f"{row}, common": Z[:, :-8]}
    if row.startswith("less"):
        V = contrasted(X, background, n_components=int(row.split()[1])).components_
        Q = np.linalg.qr(V.T)[0]
        return {row: scaled - scaled @ Q @ Q.T}
    contrast = row.partition(" ")[2]
    contrast = contrast if contrast in ("auto", "ratio") else float(contrast)
    model = contrasted(X, background, contrast=contrast)
    name = f"{row} ({model.contrast_:.1f})" if contrast == "auto" else row
    return {name: model.transform(F)}


CLOSED = ("all columns", "PCA", "contrast 2", "contrast 10", "contrast 100", "contrast auto")
CLOSED += ("contrast ratio", "less 2 directions", "less 5 directions", "less 10 directions")


def run(folder, name, row, seed):
    if name in DOMAINS:
        return domain_row(Path(folder), name, row, seed)
    X, background, y, groups = SETS[name](Path(folder))
    found = representations(X, background, row, seed)
    return {called: measures(Z, y, groups) for called, Z in found.items()}


def jobs_of(names, seeds):
    for name in names:
        if name in DOMAINS:
            yield from ((name, row, 0) for row in DOMAINS[name])
            continue
        yield from ((name, row, 0) for row in CLOSED)
        yield from ((name, "CommonSalient", seed) for seed in range(seeds))


def tables(results):
    """Markdown: a table for each set, and one for the domains."""
    names = list(dict.fromkeys(job[0] for job in results))
    for name in [name for name in names if name not in DOMAINS]:
        found = {}
        for job, each in results.items():
            for called, values in each.items() if job[0] == name else ():
                found.setdefault(called, []).append(list(values.values()))
        yield f"\n## {name}\n\n| | silhouette | Rand index | probe |\n|---|---|---|---|"
        for called, values in found.items():
            yield f"| {called} | {' | '.join(f'{v:.3f}' for v in np.mean(values, axis=0))} |"
    both = [name for name in names if name in DOMAINS]
    if both:
        yield f"\n## Digits and USPS\n\n| | {' | '.join(both)} |\n|{'---|' * (len(both) + 1)}"
    for row in DOMAINS[both[0]] if both else ():
        cells = [np.mean([v for job, v in results.items() if job[:2] == (n, row)]) for n in both]
        yield f"| {row} | {' | '.join(f'{cell:.3f}' for cell in cells)} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-dir", required=True)
    every = [*SETS, *DOMAINS]
    parser.add_argument("--sets", nargs="+", default=every, choices=every)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--anew", action="store_true")
    args = parser.parse_args()
    record = Record("contrast")
    if args.anew:
        record.forget()
    results = record.run(run, args.data_dir, list(jobs_of(args.sets, args.seeds)), 1)
    text = "\n".join(tables(results))
    print(text)
    if args.write is not None:
        before = args.write.read_text().partition("<!-- figures -->")[0]
        args.write.write_text(f"{before}<!-- figures -->\n{text}\n")


if __name__ == "__main__":
    main()
