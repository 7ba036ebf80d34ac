"""Adapters of golden files with a real target whose order counts."""

import torch

from skcontrast.functional import Between, mixed_contrast
from skcontrast.objectives import RankNContrast


def rnc(case):
    """Rank-N-Contrast of two views, with one target and with several."""
    for block_size in (None, 1, 3):
        objective = RankNContrast(case.number("temperature"), block_size=block_size)
        features = case.leaf("features")  # (n, V, d)
        loss = objective(features.transpose(0, 1), target=case.constant("labels")).mean()
        case.check_loss("loss", loss, grad=features)


def supremix(case):
    """SupReMix with the mixtures of the file, on unit rows.

    The published code shifts rows and mixtures by two different maxima, so that its sum is
    of neither; ``common_shift`` has the formula's.
    """
    y = case.constant("labels").repeat(2)
    S = len(y)
    sample = torch.arange(S) % (S // 2)
    share = torch.full((S, S), torch.nan, dtype=torch.float64)
    where = case.constant("alpha_neg_index_anchor"), case.constant("alpha_neg_index_k")
    share[where] = case.constant("alpha_neg")
    every = torch.arange(S * S).expand(S, -1)
    between = Between(every // S, every % S, case.constant("mixture_mask") == 1)
    variants = {
        "common_shift_{}_full_L1inv": ("linear", share, between),
        "common_shift_{}_full_noweight": ("none", share, between),
        "{}_supcon_L1inv": ("linear", None, None),
        "{}_supcon_plain": ("none", None, None),
    }
    for block_size in (None, 1, 5):
        for key, (weighting, *mixtures) in variants.items():
            features = case.leaf("features")  # (n, 2, d), unit rows
            z = features.transpose(0, 1).reshape(S, -1)
            loss, valid = mixed_contrast(
                z, y, sample, case.number("temperature"), *mixtures, weighting, block_size
            )
            assert valid.all()
            case.check_loss(key.format("loss"), loss.mean(), **{key.format("grad"): features})
    reason = "rows and mixtures are shifted by two different maxima before they are added up"
    case.waive(reason, "loss_full_L1inv", "loss_full_noweight")
    case.waive(reason, "grad_full_L1inv", "grad_full_noweight")
