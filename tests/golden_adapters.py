"""The table of golden files: how each is computed with ``skcontrast``.

An adapter takes a ``Case`` and compares. Where a published implementation departs from
its paper, the docstring says which form is checked.
"""

import torch
from golden_adaptation import gda, proker, tip_adapter
from golden_case import tangent
from golden_conr import conr
from golden_contrast import cpca, gcpca, sepclr
from golden_geometry import mcinfonce, meru
from golden_heads import dpo_kernels, kcl, proker_rff
from golden_instruments import (
    banzhaf,
    confident_learning,
    contrastive_decoding,
    contrastive_search,
    evalrank,
    weat,
)
from golden_kernels import cclk, decoupled_uniformity
from golden_lists import listwise_wasserstein
from golden_longtail import gml, sbcl
from golden_memory import (
    cross_view_distribution,
    infonce_queue,
    instance_nce,
    self_distillation,
)
from golden_metrics import hubs, metrics
from golden_multiview import check_on_the_sphere, dual_encoder, one_to_k, symile
from golden_pairs import (
    clp,
    distilcse_ckd,
    guided_negatives,
    simlap,
    swav,
    transport_prototypes,
)
from golden_phrases import phrases
from golden_postprocessing import bert_whitening, csr, mrl_ce, sgw, wmse
from golden_rank import rnc, supremix
from golden_regression import adacon, yaware
from golden_retrieval import bm25, margin_mining, maxsim, ranking
from golden_scale import gradcache, min_norm
from golden_series import (
    cebra,
    comet,
    contrastive_planning,
    minirocket,
    simmtm,
    time_control,
    tnc,
    ts2vec,
    tstcc,
)
from golden_soft import congrat, dialog2flow_soft, m3col
from golden_stateful import isogclr, macl, sogclr
from golden_structure import clusterns, dclr, mining
from golden_supervised import supcon
from golden_tangent import tntk
from golden_topics import coherence, s3, tsctm
from golden_word2vec import sgns_shared_step, sgns_step, vocab_tables

from skcontrast import functional
from skcontrast.objectives import (
    CACR,
    AlignmentUniformity,
    BarlowTwins,
    DebiasedContrastive,
    DecoupledContrastive,
    EnergyHinge,
    HardNegative,
    InfoNCE,
    KernelInfoNCE,
    PolyView,
    SpectralContrastive,
    VICReg,
)
from skcontrast.temperatures import Learned


def two_views(case, objective, key="loss", names=("z0", "z1"), grads=None):
    """Compare the mean of an objective of two views, and both gradients."""
    z0, z1 = case.leaves(*names)
    first, second = grads or [f"grad_{name}" for name in names]
    loss = objective(torch.stack([z0, z1])).mean()
    case.check_loss(key, loss, **{first: z0, second: z1})


def ntxent(case):
    """NT-Xent: lightly's and pytorch-metric-learning's values agree with the paper."""
    for block_size in (None, 3):
        objective = InfoNCE(temperature=case.number("temperature"), block_size=block_size)
        two_views(case, objective)
    case.check("loss_pml", objective(torch.stack(case.leaves("z0", "z1"))).mean())


def infonce_bidirectional(case):
    """CLIP form with a learned temperature; scale = 1 / tau, so d/dlog_scale = -d/dlog_tau."""
    log_scale = case.number("log_scale")
    for block_size in (None, 3):
        for prefix, form in (("oneway", "one_way"), ("symmetric", "two_way")):
            temperature = Learned(minimum=1e-6)
            built = InfoNCE(temperature, form=form, block_size=block_size).build(1).double()
            built.temperature.log_tau.data.fill_(-log_scale)
            q, k = case.leaves("q", "k")
            loss = built(torch.stack([q, k])).mean()
            case.check_loss(
                f"{prefix}_loss", loss, **{f"{prefix}_grad_q": q, f"{prefix}_grad_k": k}
            )
            slope = -built.temperature.log_tau.grad
            case.check(f"{prefix}_grad_log_scale", slope)
        q, k = (functional.normalize(x) for x in case.leaves("q", "k"))
        sums = functional.pair_sums(q, k, None, case.number("temperature"), block_size=block_size)
        case.check("row_lse", sums.log_partition)


def simcse_promcse(case):
    """SimCSE without and with hard negatives, and PromCSE's hinge added to the latter."""
    tau = case.number("temperature")
    unsup = InfoNCE(temperature=tau, form="one_way")
    two_views(case, unsup, "unsup_loss", ("z1", "z2"), ("unsup_grad_z1", "unsup_grad_z2"))
    sup = InfoNCE(
        temperature=tau,
        form="one_way",
        hard_negatives=True,
        hard_negative_weight=case.number("hard_negative_weight"),
    )
    hinge = EnergyHinge(margin=case.number("eh_margin"))
    both = sup + case.number("eh_weight") * hinge
    for block_size in (None, 4):
        sup.set_params(block_size=block_size)
        hinge.set_params(block_size=block_size)
        for prefix, objective in (("sup", sup), ("sup_plus_eh", both)):
            z = case.leaves("z1", "z2", "z3_hardneg")
            grads = {f"{prefix}_grad_z{i}": x for i, x in enumerate(z, 1)}
            case.check_loss(f"{prefix}_loss", objective(torch.stack(z)).mean(), **grads)
        case.check("eh_loss", hinge(torch.stack(z)).mean())


def decoupled(case):
    """DCL and DCLW. The one-way reference does not detach the weights of DCLW."""
    settings = {"temperature": case.number("temperature")}
    if "sigma" in case:
        settings |= {"weighted": True, "sigma": case.number("sigma")}
    for block_size in (None, 3):
        two_views(case, DecoupledContrastive(**settings, block_size=block_size))
        one_way = DecoupledContrastive(
            **settings, form="one_way", detach_weights=False, block_size=block_size
        )
        key = "oneway_{}_raminnakhli"
        grads = key.format("grad_z0"), key.format("grad_z1")
        two_views(case, one_way, key.format("loss"), grads=grads)


def align(case):
    """The alignment term alone."""
    two_views(case, AlignmentUniformity(alpha=case.number("alpha"), uniformity_weight=0))


def uniform(case):
    """The uniformity term alone: the mean over two equal views is that of one."""
    for block_size in (None, 3):
        z = case.leaf("z")
        objective = AlignmentUniformity(
            t=case.number("t"), alignment_weight=0, block_size=block_size
        )
        case.check_loss("loss", objective(torch.stack([z, z])), grad_z=z)
        value = functional.log_mean_gaussian(functional.normalize(z), case.number("t"), block_size)
        case.check("loss", value)


def hypersphere(case):
    """Alignment plus weighted uniformity; rows are normalised inside."""
    objective = AlignmentUniformity(
        alpha=case.number("alpha"), t=case.number("t"), uniformity_weight=case.number("lam")
    )
    two_views(case, objective)


def kernel_infonce(case):
    """The authors' losses: sum mixes two losses, not two kernels; eps is 1e-6.

    Their spectral baseline divides by n(n - 1) the squares of all 2n(2n - 1) pairs of
    other rows, the positive among them, which a weight makes up for.
    """
    config = case.config
    n = len(case.arrays["out1"])
    if config["type"] == "spectral":
        weight = 2 * (2 * n - 1) / (n - 1)
        objectives = [SpectralContrastive(weight=weight, include_positive=True)]
    else:
        mixture = {"origin": None, "sum": "loss", "product": "concatenation"}[config["type"]]
        settings = {"temperature": config["temp"], "gamma": config["gamma"]}
        settings |= {"mixture": mixture, "weight": config["lam"], "eps": 1e-6}
        objectives = [KernelInfoNCE(**settings, block_size=size) for size in (None, 7)]
    for objective in objectives:
        out1, out2 = case.leaves("out1", "out2")
        loss = objective(torch.stack([out1, out2])).mean()
        loss.backward()
        case.check("loss", loss)
        # The reference takes unit rows as they come; ours normalises, so its gradient is
        # the part of theirs that is tangent to the sphere.
        for key, leaf in (("grad1", out1), ("grad2", out2)):
            case.check(key, leaf.grad, expected=tangent(case.constant(key), leaf.detach()))


def polyview(case):
    """The formulas; the repository's arithmetic branch matches neither paper nor formula."""
    settings = {
        "geometric": {"form": "geometric"},
        "arithmetic": {"form": "arithmetic"},
        "suffstat": {"form": "sufficient"},
        "suffstat_nonorm": {"form": "sufficient", "statistic": "mean"},
        "suffstat_viewanchor": {"form": "sufficient", "anchor": "view"},
    }
    for prefix, options in settings.items():
        for block_size in (None, 5):
            objective = PolyView(case.number("temperature"), **options, block_size=block_size)
            z = case.leaf("z")
            loss = objective(z).mean()
            case.check_loss(f"{prefix}_loss", loss, **{f"{prefix}_grad_z": z})
    reason = "the branch averages over the batch before it takes the logarithm"
    case.waive(reason, "arithmetic_loss_as_in_repo")


def debiased(case):
    """Debiased InfoNCE, and how many anchors are at the floor."""
    for block_size in (None, 3):
        tau = case.number("temperature")
        objective = DebiasedContrastive(tau, case.number("tau_plus"), block_size=block_size)
        two_views(case, objective)
        z = functional.normalize(torch.stack(case.leaves("z0", "z1")))
        positive = (z[0] * z[1]).sum(-1).repeat(2)
        _, clamped = objective.log_negatives(z, positive, tau)
        case.check("n_clamped_anchors", clamped.sum())


def hard_negative(case):
    """Importance weights are not detached; the easy estimator is NT-Xent."""
    tau = case.number("temperature")
    for block_size in (None, 3):
        objective = HardNegative(
            tau, case.number("tau_plus"), case.number("beta"), block_size=block_size
        )
        two_views(case, objective)
    easy = HardNegative(tau, tau_plus=0, beta=0)
    case.check("loss_easy", easy(torch.stack(case.leaves("z0", "z1"))).mean())


def dse_hardneg(case):
    """HardNegative without debiasing, and InfoNCE: the mean over the rows of flagged pairs."""
    tau = case.number("temperature")
    flagged = case.constant("pairsimi").repeat(2) == 1
    for block_size in (None, 3):
        for key, objective in (
            ("hardneg", HardNegative(tau, tau_plus=0, block_size=block_size)),
            ("orig", InfoNCE(tau, block_size=block_size)),
        ):
            f1, f2 = case.leaves("f1", "f2")
            loss = objective(torch.stack([f1, f2]))[flagged].mean()
            grads = {f"grad1_{key}": f1, f"grad2_{key}": f2}
            check_on_the_sphere(case, f"loss_{key}", loss, **grads)


def cacr(case):
    """Small-scale code (weights not detached), constant weights, and the RBF cost."""
    names = "alpha", "beta", "t_pos", "t_neg"
    settings = {name: case.number(name) for name in names}
    variants = {
        "": {},
        "detached_weights_": {"detach_weights": True},
        "rbf_": {"cost": "rbf", "t": case.number("rbf_t")},
    }
    for prefix, options in variants.items():
        for block_size in (None, 3):
            z = case.leaf("z")
            loss = CACR(**settings, **options, block_size=block_size)(z)
            case.check_loss(f"{prefix}loss", loss, **{f"{prefix}grad_z": z})
    plain, unit = CACR(**settings), functional.normalize(case.leaf("z"))
    case.check("loss_attract", plain.attraction(unit))
    case.check("loss_repel", plain(unit) - plain.attraction(unit))


def barlow_twins(case):
    """Columns standardised with the biased variance."""
    two_views(case, BarlowTwins(weight=case.number("lambda")))


def vicreg(case):
    """Lightly's weighting: the covariance terms of both views are added."""
    objective = VICReg(
        invariance=case.number("lambda_inv"),
        variance=case.number("mu_var"),
        covariance=case.number("nu_cov"),
        eps=case.number("eps"),
    )
    two_views(case, objective)


# File name -> adapter.
ADAPTERS = {
    "adacon": adacon,
    "align": align,
    "banzhaf": banzhaf,
    "barlow_twins": barlow_twins,
    "bert_whitening": bert_whitening,
    "bm25": bm25,
    "cacr": cacr,
    "cclk": cclk,
    "cebra": cebra,
    "clp": clp,
    "clusterns": clusterns,
    "comet": comet,
    "congrat": congrat,
    "conr": conr,
    "contrastive_decoding": contrastive_decoding,
    "contrastive_planning": contrastive_planning,
    "cpca": cpca,
    "contrastive_search": contrastive_search,
    "cross_view_distribution": cross_view_distribution,
    "dcl": decoupled,
    "csr": csr,
    "dclr": dclr,
    "dclw": decoupled,
    "debiased": debiased,
    "decoupled_uniformity": decoupled_uniformity,
    "dialog2flow_soft": dialog2flow_soft,
    "distilcse_ckd": distilcse_ckd,
    "dpo_kernels": dpo_kernels,
    "dse_hardneg": dse_hardneg,
    "dual_encoder": dual_encoder,
    "gcpca": gcpca,
    "evalrank": evalrank,
    "gda": gda,
    "gml": gml,
    "gradcache": gradcache,
    "guided_negatives": guided_negatives,
    "hard_negative": hard_negative,
    "hubness": hubs,
    "hypersphere": hypersphere,
    "infonce_bidirectional": infonce_bidirectional,
    "infonce_queue": infonce_queue,
    "instance_nce": instance_nce,
    "isogclr": isogclr,
    "kcl": kcl,
    "kernel_infonce": kernel_infonce,
    "label_quality": confident_learning,
    "listwise_wasserstein": listwise_wasserstein,
    "m3col": m3col,
    "macl": macl,
    "margin_mining": margin_mining,
    "maxsim": maxsim,
    "mcinfonce": mcinfonce,
    "meru": meru,
    "metrics": metrics,
    "min_norm_pair": min_norm,
    "mining": mining,
    "minirocket": minirocket,
    "mrl_ce": mrl_ce,
    "ntxent": ntxent,
    "one_to_k": one_to_k,
    "phrases": phrases,
    "polyview": polyview,
    "proker": proker,
    "proker_rff": proker_rff,
    "rank_metrics": ranking,
    "rnc": rnc,
    "s3": s3,
    "sbcl": sbcl,
    "self_distillation": self_distillation,
    "sepclr": sepclr,
    "sgns_shared_step": sgns_shared_step,
    "sgns_step": sgns_step,
    "sgw": sgw,
    "simcse_promcse": simcse_promcse,
    "simlap": simlap,
    "simmtm": simmtm,
    "sogclr": sogclr,
    "supcon": supcon,
    "supremix": supremix,
    "swav": swav,
    "symile": symile,
    "time_control": time_control,
    "tip_adapter": tip_adapter,
    "tnc": tnc,
    "topic_coherence": coherence,
    "tntk": tntk,
    "transport_prototypes": transport_prototypes,
    "ts2vec": ts2vec,
    "tsctm": tsctm,
    "tstcc": tstcc,
    "uniform": uniform,
    "vicreg": vicreg,
    "vocab_tables": vocab_tables,
    "wmse": wmse,
    "weat": weat,
    "yaware": yaware,
}
