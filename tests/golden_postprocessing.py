"""Adapters of golden files for what is done with an embedding after training."""

import numpy as np
import torch
from sklearn.metrics import euclidean_distances
from sklearn.preprocessing import normalize

from skcontrast.functional import whiten
from skcontrast.objectives import (
    AlignmentUniformity,
    CrossEntropy,
    InfoNCE,
    Nested,
    SparseReconstruction,
    Whitened,
)
from skcontrast.objectives._sparse import largest
from skcontrast.postprocessing import HubnessReducedNeighbors, Whitening


class Given(np.random.RandomState):
    """A generator whose permutation is given."""

    def __init__(self, order):
        super().__init__(0)
        self.order = order

    def permutation(self, n):
        assert n == len(self.order)
        return self.order


def bert_whitening(case):
    """The map up to the signs of its directions, and unit rows of all columns and of some."""
    X, new = case.arrays["X"], case.arrays["X_test"]
    settings = {"method": "pca", "shrinkage": 0.0, "normalize": True}
    model = Whitening(**settings).fit(X)
    sign = np.sign((model.components_.T * case.arrays["kernel"]).sum(axis=0))
    case.check("bias", -model.mean_[None])
    case.check("kernel", model.components_.T * sign)
    case.check("X_white", model.transform(X) * sign)
    case.check("X_test_white", model.transform(new) * sign)
    k = case.number("n_components")
    case.check("X_test_white_k", Whitening(k, **settings).fit(X).transform(new) * sign[:k])


def sgw(case):
    """Each view by its own groups; the reference divides by n, and we by n - 1."""
    n, trained = case.arrays["x"].shape[1], (case.constant("x"), case.number("n_groups"), 0.0)
    views = whiten(*trained, "zca", case.constant("perms"))
    case.check("y", views * (n / (n - 1)) ** 0.5)
    white = []
    for x, order in zip(case.arrays["x"], case.arrays["perms"]):
        model = Whitening(
            shrinkage=0.0, n_groups=case.number("n_groups"), random_state=Given(order)
        )
        white.append(model.fit_transform(x) * np.sqrt(len(x) / (len(x) - 1)))
        if case.number("n_groups") > 1:
            np.testing.assert_array_equal(model.permutation_, order)
    case.check("y", white)


def wmse(case):
    """Rows, and the loss of two whitened tables.

    The reference mixes in the identity by eps, and we the mean variance m by s: with
    s m / (1 - s) = eps / (1 - eps) both matrices are the same but for a factor.
    """
    eps, white = case.number("eps"), []
    for z in (case.arrays["z0"], case.arrays["z1"]):
        ratio = eps / (1 - eps) / z.var(axis=0, ddof=1).mean()
        s = ratio / (1 + ratio)
        model = Whitening(method="cholesky", shrinkage=s)
        white.append(model.fit_transform(z) * np.sqrt((1 - s) / (1 - eps)))
    case.check("white0", white[0])
    cosines = (normalize(white[0]) * normalize(white[1])).sum(axis=1)
    case.check("loss", 2 - 2 * cosines.mean())
    z = case.leaves("z0", "z1")
    align = AlignmentUniformity(uniformity_weight=0)
    objective = Whitened(align, n_groups=1, method="cholesky", eps=eps)
    case.check("white0", whiten(z[0][None], 1, eps, "cholesky")[0])
    case.check_loss("loss", objective(torch.stack(z)).mean(), grad_z0=z[0], grad_z1=z[1])
    case.waive("a map is learned from all rows of fit", "running_mean", "running_cov")


def _corrected(case, method, k):
    """Corrected distances without the constant, to all rows: of new rows, and of those of fit."""
    X, new = case.arrays["X_train"], case.arrays["X_test"]
    model = HubnessReducedNeighbors(1, method=method, k=k, metric="euclidean").fit(X)
    tables = []
    for rows, n in ((new, len(X)), (None, len(X) - 1)):
        distance, ids = model.kneighbors(rows, n)
        table = np.full((len(distance), len(X)), np.nan)
        np.put_along_axis(table, ids, distance - model.shift_, axis=1)
        tables.append(table)
    return tables, model.surroundings_


def reduced(case):
    """Reductions of hubness, and centred unit rows.

    One release reads six neighbours as five, as it takes the first for the row itself. The
    development version does so for new rows alone, so that what is around rows of fit is compared,
    and has another local scaling.
    """
    at = {part: case.arrays[f"{part}_ind"] for part in ("train", "test")}
    for method, key, k in (
        ("mutual_proximity", "v0212_mp_normal", case.number("n_neighbors")),
        ("local_scaling", "v0212_ls_k5", 6),
        ("nicdm", "v0212_nicdm_k5", 6),
    ):
        (new, old), _ = _corrected(case, method, k)
        for part, table in (("test", new), ("train", old)):
            case.check(f"{key}_{part}", np.take_along_axis(table, at[part], axis=1))
    for method, name in (
        ("local_scaling", "ls_k5"),
        ("nicdm", "nicdm_k5"),
        ("dis_sim_local", "dsl_k5_unshifted"),
    ):
        (new, _), around = _corrected(case, method, 5)
        case.check(f"indep_{name}", np.take_along_axis(new, at["test"], axis=1))
        if name != "dsl_k5_unshifted":
            ids = case.arrays[f"master_{name}_test_indices"]
            D = np.sort(euclidean_distances(case.arrays["X_test"], case.arrays["X_train"]))
            mine = D[:, 5] if name == "ls_k5" else D[:, :6].mean(axis=1)
            D = euclidean_distances(case.arrays["X_test"], case.arrays["X_train"])
            relative = np.take_along_axis(D, ids, axis=1) / np.sqrt(mine[:, None] * around[ids, 0])
            value = 1 + relative**2 if name == "ls_k5" else relative
            case.check(f"master_{name}_test_data", value)
            case.waive("where the distances are compared", f"master_{name}_test_indices")
    model = Whitening(power=0, normalize=True).fit(case.arrays["X_train"])
    for part in ("train", "test"):
        case.check(f"center_norm_{part}", model.transform(case.arrays[f"X_{part}"]))
        graphs = [f"master_graph_{part}_{what}" for what in ("data", "indices")]
        case.waive("plain distances", *graphs)
        case.waive("shares among the k nearest alone", f"v0212_mp_empiric_{part}")
    own = [f"master_mp_normal_test_{what}" for what in ("data", "indices")]
    case.waive("rows of fit are their own neighbours there", *own)
    case.waive("its columns are those of other rows", "v0212_dsl_k5_sqdist_test")
    fnorm = [key for key in case.arrays if key.startswith("fnorm_")]
    case.waive("ranks of all rows of a call: a row's value is that of its batch", *fnorm)


def mrl_ce(case):
    """Cross-entropy of the first columns, with the heads of the reference, or slices of its one."""
    x, y = case.leaf("x"), case.constant("y")
    widths = case.arrays["nesting"].tolist()
    nested = Nested(CrossEntropy(), widths, case.arrays["relative_importance"])
    built = nested.build(len(x)).double()
    side, given = {"target": y}, {"classes": np.arange(case.arrays["logits0"].shape[1])}
    built.prepare(side, given, x.shape[1])
    for i, (term, width) in enumerate(zip(built.terms, widths)):
        shared = case.arrays["efficient"]
        weight, bias = (
            case.constant(f"w_nesting_classifier_{0 if shared else i}.{name}")
            for name in ("weight", "bias")
        )
        head = term.term.head
        head.weight.data, head.bias.data = weight[:, :width], bias
        case.check(f"logits{i}", head(x[:, :width]))
    case.check_loss("loss", built(views=x[None], embedding=x[None], target=y), grad=x)


def csr(case):
    """Codes, rebuilt rows and the total with its gradients, for a decoder that is tied.

    The reference counts passes and not batches, and zeroes columns that it returns: which are out
    of use is given here. Where rows are normalised it undoes that without the 1e-5 of the way in.
    """
    x, (W, offset, bias) = (
        case.constant("x"),
        case.leaves("encoder_weight", "pre_bias", "latent_bias"),
    )
    mean, deviation, slack = 0.0, 1.0, 0.0
    if case.number("normalize"):
        mean, deviation, slack = x.mean(1, keepdim=True), x.std(1, keepdim=True), 1e-5
    k, dead = case.number("topk"), case.constant("stats_after_1") > case.number("dead_threshold")
    pre = ((x - mean) / (deviation + slack) - offset) @ W.T + bias

    def decode(z):
        return (z @ W + offset) * deviation + mean

    case.check("pre_act", pre)
    for name, width in (("k", k), ("4k", 4 * k)):
        codes = largest(pre, width)
        case.check(f"latents_{name}", codes)
        case.check(f"recons_{name}", decode(codes))
    objective = SparseReconstruction(k, n_auxiliary=case.number("auxk"))
    views = pre.expand(2, -1, -1)
    gradients = {"grad_encoder_weight": W, "grad_pre_bias": offset, "grad_latent_bias": bias}
    if case.number("normalize"):
        total = objective.loss(views, rows=x, head=decode).mean()
        expected = case.arrays["total"] - case.arrays["loss_auxk"] / 32
        case.check("total", total, expected=expected)
        reason = "the offset of normalised rows is added to rows as they are, in what revives"
        case.waive(reason, *gradients)
    else:
        total = objective.loss(views, rows=x, head=decode, dead=dead).mean()
        case.check_loss("total", total, **gradients)
    parts = "loss_k", "loss_4k", "loss_auxk", "loss_cl"
    case.waive("parts of the total", *parts)
    first, second = case.leaves("cl_in1", "cl_in2")
    contrast = InfoNCE(0.2)(torch.stack([first, second])).mean()
    case.check_loss("cl_out", contrast, cl_grad1=first, cl_grad2=second)
