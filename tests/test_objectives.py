"""Conformance: what every objective promises, whatever its formula."""

import re

import pytest
import torch
from sklearn.base import clone

from skcontrast._component import InvalidParameterError, check_parameters
from skcontrast.functional import normalize
from skcontrast.objectives import (
    CACR,
    DCLR,
    OBJECTIVES,
    AlignmentUniformity,
    ClusterDiscrimination,
    ClusterNS,
    CommonSalient,
    ConditionalInfoNCE,
    ConR,
    CrossEntropy,
    DebiasedContrastive,
    DecoupledContrastive,
    DecoupledUniformity,
    DistributionContrast,
    HardNegative,
    InfoNCE,
    KernelInfoNCE,
    LogitAdjusted,
    Lorentz,
    MinedNegatives,
    Nested,
    OnColumns,
    OneToK,
    Pairwise,
    PairwiseRanking,
    PolyView,
    PositiveAware,
    PredictionError,
    PropensityNCE,
    Reconstruction,
    ReplacedFeatures,
    SigmoidPairs,
    SoftTarget,
    SpectralContrastive,
    StructureConsistency,
    SubclassBalanced,
    SupCon,
    SupReMix,
    Symile,
    TeacherSimilarity,
    VICReg,
    Whitened,
    YAware,
)
from skcontrast.temperatures import Individual, Learned, ModelAware

# name -> objective; the default of every entry of the registry, and its other branches. Those that
# read steps of series are in test_series_objectives.py.
VARIANTS = {name: cls() for name, cls in OBJECTIVES.items() if "steps" not in cls().requires} | {
    "info_nce-two_way": InfoNCE(form="two_way"),
    "info_nce-one_way": InfoNCE(form="one_way"),
    "info_nce-compose": InfoNCE(compose="sum"),
    "info_nce-focal": InfoNCE(focal=0.5),
    "info_nce-hard": InfoNCE(form="one_way", hard_negatives=True, hard_negative_weight=0.5),
    "info_nce-model_aware": InfoNCE("model_aware"),
    "info_nce-individual": InfoNCE("individual"),
    "common_salient-one": CommonSalient(1, 0.0, 2.0, 0.5, tau=1.0),
    "conditional-fair": ConditionalInfoNCE("fair"),
    "conditional-reference": ConditionalInfoNCE(form="reference"),
    "conditional-normalized": ConditionalInfoNCE("fair", diagonal="zero", normalize=True),
    "decoupled_uniformity-prior": DecoupledUniformity(kernel="rbf"),
    "decoupled-one_way": DecoupledContrastive(form="one_way"),
    "decoupled-model_aware": DecoupledContrastive("model_aware"),
    "dclw": DecoupledContrastive(weighted=True),
    "dclw-graph": DecoupledContrastive(weighted=True, detach_weights=False),
    "alignment_uniformity-1": AlignmentUniformity(alpha=1, t=3),
    "supcon-inside": SupCon(form="inside"),
    "supcon-first": SupCon(anchors="first"),
    "supcon-jaccard": SupCon(label_similarity="jaccard"),
    "supcon-tree": SupCon(form="inside", label_similarity="tree"),
    "supcon-table": SupCon(label_similarity=[[1.0, 0.3], [0.2, 1.0]]),
    "soft_target-hard": SoftTarget(target_temperature=0),
    "soft_target-table": SoftTarget(similarity=[[1.0, 0.5], [0.2, 2.0]]),
    "soft_target-embeddings": SoftTarget(class_embeddings=[[1.0, 0.5], [-1.0, 2.0]]),
    "soft_target-prior": SoftTarget(similarity="prior", alpha=0.4),
    "soft_target-view": SoftTarget(similarity="view", scaling="linear"),
    "kernel_info_nce-0.5": KernelInfoNCE(gamma=0.5),
    "kernel_info_nce-loss": KernelInfoNCE(gamma=1, mixture="loss", weight=0.3, eps=1e-6),
    "kernel_info_nce-kernel": KernelInfoNCE(gamma=1, mixture="kernel", weight=0.3),
    "kernel_info_nce-concatenation": KernelInfoNCE(gamma=1, mixture="concatenation"),
    "poly_view-arithmetic": PolyView(form="arithmetic"),
    "poly_view-sufficient": PolyView(form="sufficient"),
    "poly_view-anchored": PolyView(form="sufficient", anchor="view", statistic="mean"),
    "hard_negative-detached": HardNegative(detach_weights=True),
    "cacr-rbf": CACR(cost="rbf"),
    "cacr-detached": CACR(detach_weights=True),
    "cacr-rbf-detached": CACR(cost="rbf", detach_weights=True),
    "spectral-all": SpectralContrastive(include_positive=True),
    "y_aware-column": YAware(normalization="column"),
    "learned": HardNegative(temperature=Learned(init=0.5)),
    "prediction_error-absolute": PredictionError(error="absolute"),
    "prediction_error-huber": PredictionError(error="huber", delta=0.5),
    "cross_entropy-adjusted": CrossEntropy(adjustment=1.0, label_smoothing=0.1),
    "cross_entropy-information": CrossEntropy(information=0.3),
    "cross_entropy-vectors": CrossEntropy(class_embeddings=[[1.0, 0.5], [-1.0, 2.0]]),
    "conr-wide": ConR(temperature=0.5, window=1.0, error="squared"),
    "conr-reference": ConR(window=0.5, form="reference"),
    "logit_adjusted-half": LogitAdjusted(temperature=0.5, adjustment=0.5),
    "subclass_balanced-ccl": SubclassBalanced(form="ccl", base_temperature=0.07),
    "supremix-negatives": SupReMix(n_mixtures=0, weighting="quadratic"),
    # So many that all pairs are taken.
    "supremix-positives": SupReMix(negatives=False, n_mixtures=100, window=1.0),
    "supremix-plain": SupReMix(negatives=False, n_mixtures=0, weighting="none", bin_width=0.5),
    "cluster_ns-one_way": ClusterNS(form="one_way"),
    "dclr-one_way": DCLR(form="one_way", threshold=0.2),
    "dclr-prior": DCLR(guide="prior", threshold=0.0),
    "positive_aware-one_way": PositiveAware(margin=0.3, form="one_way"),
    "dclr-soft": DCLR(guide="prior", weight="soft"),
    "info_nce-groups": InfoNCE(exclude="groups"),
    "info_nce-groups-two_way": InfoNCE(form="two_way", exclude="groups"),
    "info_nce-groups-one_way": InfoNCE(form="one_way", exclude="groups"),
    "info_nce-other_groups": InfoNCE(exclude="other_groups"),
    "info_nce-keys-one_way": InfoNCE(form="one_way", queue_size=0),
    "info_nce-keys-two_way": InfoNCE(form="two_way", queue_size=0, exclude="groups"),
    "mined-groups": MinedNegatives(exclude="groups"),
    "hard_negative-weight": HardNegative(tau_plus=0, beta=0.5, positive_weight=0.5),
    "propensity-prior": PropensityNCE(guide="prior", weight_temperature=0.2),
    "positive_aware-hardest": PositiveAware(n_negatives=2),
    "positive_aware-absolute": PositiveAware(rule="absolute", margin=0.5),
    "positive_aware-prior": PositiveAware(rule="fixed", guide="prior", n_negatives=1),
    "reconstruction-huber": Reconstruction(error="huber", delta=0.5),
    "reconstruction-neighbors": Reconstruction(from_="neighbors"),
    "replaced_features-corrupted": ReplacedFeatures(on="corrupted"),
    "structure_consistency-projection": StructureConsistency("projection"),
    "distribution-contrast": DistributionContrast(0.5, 0.0),
    "cluster_discrimination-all": ClusterDiscrimination(n_labels=2, negative_share=1.0),
    "teacher_similarity-sharp": TeacherSimilarity(teacher_temperature=0.02),
    "pairwise-weights": Pairwise(InfoNCE(), [(0, 1), (1, 0, 2.0)]),
    "one_to_k-mean": OneToK("mean", 0.3),
    "symile-all": Symile("all", 0.2),
    "sigmoid-focal": SigmoidPairs(2.0, temperature=0.3),
    "on_columns": OnColumns(InfoNCE(), 1, 3),
    "on_columns-sum": OnColumns(SupCon() + PolyView(), 1),
    "nested": Nested(InfoNCE(), (2, None)),
    "whitened": Whitened(InfoNCE(), n_groups=1),
    "lorentz-fixed": Lorentz(curvature=0.5, entailment=0, temperature=0.5),
    "pairwise_ranking-margin": PairwiseRanking(margin=0.5),
    "sum": InfoNCE() + 0.5 * AlignmentUniformity(),
}
# The gradient is not that of the value: something is held constant on purpose.
SURROGATES = {
    "propensity",
    "soft_target-view",
    "swapped_prototypes",
    "cross_view_distribution",
    "info_nce-model_aware",
    "info_nce-individual",
    "info_nce-keys-one_way",
    "info_nce-keys-two_way",
    "instance_discrimination",
    "self_distillation",
    "decoupled-model_aware",
    "dclw",
    "hard_negative-detached",
    "cacr-detached",
    "cacr-rbf-detached",
    "supremix",
    "supremix-negatives",
    "supremix-positives",
    "symile",
}
# Draw random numbers, in the order of the rows.
RANDOM = {"cluster_discrimination", "supremix", "supremix-negatives", "symile"}
RANDOM |= {"cross_mixup", "pair_gated", "mc_info_nce"}
# Ask the device for what they go on with.
WAITS = {"listwise_wasserstein", "rank_penalty"}
# Neither unit rows nor columns: rows as they are.
LENGTHS = {"rank_n_contrast", "gaussian", "mc_info_nce", "lorentz", "lorentz-fixed"}
LENGTHS |= {"self_distillation", "whitened"}
# Without a head, the columns of the embedding are the prediction.
HEADS = (
    "prediction_error",
    "cross_entropy",
    "conr",
    "reconstruction",
    "binary_cross_entropy",
    "pairwise_ranking",
    "replaced_features",
    "distribution",
)
PREDICTORS = {name for name in VARIANTS if name.startswith(HEADS)}
# Work on the columns as they are, not on unit rows.
COLUMNS = {"barlow_twins", "vicreg", "independence", "rank_penalty", *PREDICTORS}
COLUMNS |= {"common_salient", "common_salient-one"}
# Without prototypes these are the axes.
PROTOTYPES = {"cluster_discrimination", "cluster_discrimination-all", "swapped_prototypes"}
# Not invariant under rotation: columns have a meaning.
ORIENTED = {
    *COLUMNS,
    "on_columns",
    "on_columns-sum",
    "nested",
    "kernel_info_nce-concatenation",
    "teacher_match",
    "previous_features",
    "gaussian",
    "mc_info_nce",
    "self_distillation",
    *PROTOTYPES,
}
SCALARS = {"alignment_uniformity", "decoupled_uniformity", "cacr", "pairwise", "nested", "sum"}
SCALARS |= {"listwise_wasserstein"} | COLUMNS - PREDICTORS
FIRST_VIEW = {
    "one_way",
    "hard",
    "first",
    "energy_hinge",
    "soft_target",
    "neighbors",
    "pair_score",
    "swapped_prototypes",
    "cross_view_distribution",
    "one_to_k",
    "replaced_features",
    "structure_consistency",
    "sigmoid",
    "list_mle",
    "cross_mixup",
    "gaussian",
    "lorentz",
    "self_distillation",
}

every = pytest.mark.parametrize("name", VARIANTS)


def random_target(kind, n, generator):
    """A target of a kind, with ties and, where the kind has a sign for it, unlabelled rows."""
    if kind == "class":
        return (torch.arange(n) % 3) - 1
    if kind == "labels":
        return torch.randint(0, 2, (n, 3), generator=generator)
    target = torch.randn(n, 1, generator=generator, dtype=torch.float64).round(decimals=1)
    target[0] = torch.nan
    return target


def draw(objective, n=6, d=4, n_views=None, seed=0, dtype=torch.float64):
    """Random views, of uneven length, and the side information of an objective."""
    generator = torch.Generator().manual_seed(seed)
    n_views = n_views or max(2, objective.min_views)
    views = torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)
    views = views * (0.5 + 2 * torch.rand(n_views, n, 1, generator=generator))
    side = {"index": torch.arange(n)}
    if "target" in objective.requires:
        side["target"] = random_target(objective.target_type, n, generator)
    if "groups" in objective.requires:
        # Lists have to be of one length.
        side["groups"] = torch.arange(n) // 2 if objective.whole_groups else torch.arange(n) % 3
    if getattr(objective, "reads_replayed", False):
        side["previous"] = torch.randn(n, d, generator=generator, dtype=torch.float64)
        side |= {"replayed": torch.arange(n) != 1, "target": random_target("class", n, generator)}
    for name in {"condition", "prior", "rows"} & set(objective.requires):
        side[name] = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    if "rows" in side:
        side["changed"] = side["rows"] > 0
    return views.to(dtype), side


def evaluate(objective, views, side):
    """Loss, and the gradient of its mean."""
    views = views.detach().clone().requires_grad_()
    torch.manual_seed(0)
    loss = objective(views, **side)
    loss.mean().backward()
    return loss.detach(), views.grad


@every
def test_shape_and_dtype(name):
    objective = VARIANTS[name]
    for dtype in (torch.float32, torch.float64):
        views, side = draw(objective, dtype=dtype)
        loss, grad = evaluate(objective, views, side)
        n_views, n, _ = views.shape
        options = name.split("-")
        if options[0] in SCALARS or options[-1] == "sum":
            assert loss.shape == ()
        elif FIRST_VIEW & set(options):
            assert loss.shape == (n,)
        else:
            assert loss.shape == (n_views * n,)
        assert loss.dtype == grad.dtype == dtype


@every
@pytest.mark.parametrize("n_views", [2, 3, 4])
def test_more_views(name, n_views):
    objective = VARIANTS[name]
    if n_views < objective.min_views:
        pytest.skip("needs more views")
    views, side = draw(objective, n_views=n_views)
    loss, grad = evaluate(objective, views, side)
    assert loss.isfinite().all() and grad.isfinite().all()


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_awkward_batches(name, dtype):
    objective = VARIANTS[name]
    two = draw(objective, n=2, dtype=dtype)
    views, side = draw(objective, dtype=dtype)
    zero_row = views.clone()
    zero_row[0, 0] = 0
    batches = {
        "two rows": two,
        "two identical rows": (torch.ones_like(two[0]), two[1]),
        "identical rows": (views[:1, :1].expand_as(views), side),
        "identical views": (views[:1].expand_as(views), side),
        "opposite rows": (views[:1] * torch.tensor([1, -1] * 3)[:, None], side),
        "a zero row": (zero_row, side),
        "only zeros": (torch.zeros_like(views), side),
        "tiny rows": (views * 1e-9, side),
        "huge rows": (views * (1 if name in COLUMNS else 1e9), side),
    }
    batches["opposite rows"] = (batches["opposite rows"][0].expand_as(views), side)
    for what, (batch, named) in batches.items():
        loss, grad = evaluate(objective, batch, named)
        assert loss.isfinite().all(), what
        assert grad.isfinite().all(), what


@every
@pytest.mark.parametrize("temperature", [0.01, 100.0])
def test_finite_at_extreme_temperatures(name, temperature):
    objective = VARIANTS[name]
    if not isinstance(getattr(objective, "temperature", None), float):
        pytest.skip("has no fixed temperature")
    objective = clone(objective).set_params(temperature=temperature)
    views, side = draw(objective, dtype=torch.float32)
    loss, grad = evaluate(objective, views, side)
    assert loss.isfinite().all() and grad.isfinite().all()


@every
def test_gradient_is_that_of_the_value(name):
    if name in SURROGATES | RANDOM:
        pytest.skip("something is held constant in the gradient on purpose, or drawn anew")
    objective = VARIANTS[name]
    views, side = draw(objective, n=4, d=4)
    built = objective.build(4).double()
    views.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: built(views=x, **side), views)


@every
def test_order_of_the_rows_does_not_matter(name):
    if name in RANDOM:
        pytest.skip("other rows get other draws")
    objective = VARIANTS[name]
    views, side = draw(objective)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    loss, grad = evaluate(objective, views, side)
    shuffled = {key: value[order] for key, value in side.items()}
    moved, moved_grad = evaluate(objective, views[:, order], shuffled)
    if loss.ndim:
        torch.testing.assert_close(moved.view(-1, 6), loss.view(-1, 6)[:, order])
    else:
        torch.testing.assert_close(moved, loss)
    torch.testing.assert_close(moved_grad, grad[:, order])


@every
@pytest.mark.parametrize("block_size", [1, 3, 7, 100])
def test_tiles_change_nothing(name, block_size):
    objective = clone(VARIANTS[name])
    tiled = clone(objective)
    names = [key for key in tiled.get_params() if key.split("__")[-1] == "block_size"]
    if not names:
        pytest.skip("forms no pairs")
    tiled.set_params(**dict.fromkeys(names, block_size))
    for n_views in {max(2, objective.min_views), 3}:
        views, side = draw(objective, n=5, n_views=n_views)
        loss, grad = evaluate(objective, views, side)
        other, other_grad = evaluate(tiled, views, side)
        torch.testing.assert_close(other, loss, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(other_grad, grad, rtol=1e-9, atol=1e-11)


@every
def test_length_of_the_rows_does_not_matter(name):
    if name in COLUMNS | LENGTHS:
        pytest.skip("works on columns, or on distances")
    objective = VARIANTS[name]
    views, side = draw(objective)
    loss, _ = evaluate(objective, views, side)
    torch.testing.assert_close(evaluate(objective, normalize(views), side)[0], loss)


@every
def test_rotation_does_not_matter(name):
    if name in ORIENTED:
        pytest.skip("columns have a meaning")
    objective = VARIANTS[name]
    views, side = draw(objective)
    rotation = torch.linalg.qr(draw(objective, n=4, seed=5)[0][0]).Q
    loss, grad = evaluate(objective, views, side)
    turned, turned_grad = evaluate(objective, views @ rotation, side)
    torch.testing.assert_close(turned, loss)
    torch.testing.assert_close(turned_grad, grad @ rotation)


@every
def test_float32_is_close_to_float64(name):
    objective = VARIANTS[name]
    views, side = draw(objective)
    loss, _ = evaluate(objective, views, side)
    single, _ = evaluate(objective, views.float(), side)
    torch.testing.assert_close(single.double(), loss, rtol=1e-4, atol=1e-4)


@every
def test_is_a_scikit_learn_citizen(name):
    objective = VARIANTS[name]
    copy = clone(objective)
    assert copy is not objective
    assert repr(copy) == repr(objective)
    assert type(objective).__name__ in repr(objective)
    assert copy.get_params(deep=False).keys() == objective.get_params(deep=False).keys()
    copy.set_params(**objective.get_params(deep=False))
    check_parameters(objective)
    before = repr(objective)
    views, side = draw(objective)
    objective(views, **side)
    assert repr(objective) == before


@every
def test_half_precision_is_evaluated_in_float32(name):
    objective = VARIANTS[name]
    views, side = draw(objective)
    torch.manual_seed(0)
    loss = objective(views.bfloat16(), **side)
    assert loss.dtype == torch.float32 and loss.isfinite().all()
    # Also where the caller left autocast on.
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = objective(views.bfloat16(), **side)
    torch.testing.assert_close(inside, loss, rtol=0, atol=0)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_docstring_names_every_parameter(name):
    cls = OBJECTIVES[name]
    for parameter in cls().get_params(deep=False):
        assert re.search(rf"^    {parameter} : .*default=", cls.__doc__, re.M), parameter
        assert parameter in cls._parameter_constraints
    for section in ("References", "Examples", ".. math::"):
        assert section in cls.__doc__


@pytest.mark.parametrize("name", OBJECTIVES)
def test_wrong_parameters_give_one_sentence(name):
    cls = OBJECTIVES[name]
    for parameter in cls().get_params(deep=False):
        if parameter in ("center", "target"):  # which may be a name that is known in a fit
            continue
        with pytest.raises(InvalidParameterError, match=f"{parameter!r} parameter of"):
            check_parameters(cls(**{parameter: "nonsense"}))


@pytest.mark.parametrize(
    "objective, message",
    [
        (InfoNCE(hard_negatives=True), "hard_negatives=True needs form='one_way'"),
        (InfoNCE(ModelAware(), form="two_way"), "is defined for form='ntxent'"),
        (DecoupledContrastive(Individual()), "use a positive number or 'learned'"),
        (SupCon("model_aware"), "not defined for SupCon: use a positive number"),
        (LogitAdjusted("model_aware"), "not defined for LogitAdjusted: use a positive number"),
        (SubclassBalanced("individual"), "not defined for SubclassBalanced: use a positive"),
        (PolyView("individual"), "not defined for PolyView"),
        (PolyView(anchor="view"), "type PolyView\\(form='sufficient', anchor='view'\\)"),
        (PolyView(statistic="mean"), "type PolyView\\(form='sufficient', statistic='mean'\\)"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_combinations_without_a_meaning_are_refused(objective, message):
    with pytest.raises(ValueError, match=message):
        objective.build(10)


def test_data_of_the_wrong_shape_is_refused():
    views = torch.randn(2, 4, 3)
    with pytest.raises(ValueError, match="use an even width"):
        KernelInfoNCE(mixture="concatenation")(views)
    with pytest.raises(ValueError, match="one class label for each of the 4 samples"):
        SupCon()(views, target=torch.zeros(4, 2))


def test_sums_and_multiples():
    views, side = draw(InfoNCE())
    first, second, third = InfoNCE(), AlignmentUniformity(), VICReg()
    total = (first + 0.5 * second + third * 2)(views)
    expected = first(views).mean() + 0.5 * second(views) + 2 * third(views)
    torch.testing.assert_close(total, expected)
    assert (first + SupCon()).requires == ("views", "target")
    both = InfoNCE() + 0.5 * AlignmentUniformity()
    both.set_params(first__temperature=0.3, second__weight=2.0, second__objective__t=1.0)
    expected = InfoNCE(0.3)(views).mean() + 2 * AlignmentUniformity(t=1.0)(views)
    torch.testing.assert_close(both(views), expected)
    built = (InfoNCE("learned") + SupCon("learned")).build(6)
    assert len(list(built.parameters())) == 2


def test_shorthand_of_a_temperature_is_searched():
    objective = InfoNCE("learned").set_params(temperature__init=0.2)
    assert objective.temperature.init == 0.2
    learned = DebiasedContrastive(temperature=Learned(init=0.5)).build(6)
    views, _ = draw(InfoNCE())
    learned(views=views).mean().backward()
    assert learned.temperature.log_tau.grad.isfinite()


def test_a_zero_row_has_a_gradient_of_ordinary_size():
    # Dividing by max(|x|, 1e-12) would give 1e12.
    views, side = draw(InfoNCE())
    views[0, 0] = 0
    _, grad = evaluate(InfoNCE(), views, side)
    assert grad[0, 0].norm() < 10


@pytest.mark.gpu
@every
def test_on_a_gpu(name):
    objective = VARIANTS[name]
    views, side = draw(objective)
    loss, grad = evaluate(objective, views, side)
    built = objective.build(6).cuda()
    x = views.cuda().requires_grad_()
    with torch.cuda.device(0):
        named = {key: value.cuda() for key, value in side.items()}
        torch.cuda.set_sync_debug_mode("default" if name in WAITS else "error")
        try:
            value = built(views=x, **named)
            value.mean().backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    if name in RANDOM:
        assert value.isfinite().all() and x.grad.isfinite().all()
        return
    torch.testing.assert_close(value.detach().cpu(), loss)
    torch.testing.assert_close(x.grad.cpu(), grad)
