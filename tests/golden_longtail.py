"""Adapters of golden files about long-tailed classes."""

import torch
import torch.nn.functional as F

from skcontrast.functional import class_cross_entropy, log_mean_by_class
from skcontrast.objectives import SubclassBalanced

# Temperature of the distillation in the reference code.
SOFT = 4


def gml(case):
    """GMLLoss: the authors mask the query's own key only in the term of the temperature.

    The classifier and the teacher are given as cosines. The gradients are those of the loss
    without the teacher; the features are held constant in the temperature's term, and the
    temperature in the other.
    """
    labels, key_labels = case.constant("q_labels"), case.constant("k_labels")
    q_index, k_index = case.constant("q_idx"), case.constant("k_idx")
    counts, key = case.constant("class_counts"), case.constant("key")
    prior = (counts / counts.sum()).log()
    T_c, T_s = case.number("T_c"), case.number("T_s")

    def contrast(query, tau, block_size, keep=None):
        scores = log_mean_by_class(
            query, key, key_labels, len(counts), tau, keep=keep, block_size=block_size
        )
        loss, _ = class_cross_entropy(scores, labels, prior)
        return scores, loss.mean()

    def other_row(rows, columns):
        return q_index[rows, None] != k_index[columns]

    for block_size in (None, 3):
        query, logits = case.leaves("query", "sup_logits")
        log_T_c = torch.tensor([T_c], dtype=torch.float64).log().requires_grad_()
        scores, loss_con = contrast(query, T_c, block_size)
        case.check("logS", scores)
        case.check("loss_con_only", loss_con)
        loss_sup, _ = class_cross_entropy(logits / T_s, labels, prior)
        case.check("loss_sup_only", loss_sup.mean())
        _, loss_con_T = contrast(query.detach(), log_T_c.exp()[0], block_size, other_row)
        total = case.number("gamma") * loss_sup.mean() + case.number("beta") * (
            loss_con + loss_con_T
        )
        soft = (F.log_softmax(x / T_s / SOFT, 1) for x in (logits, case.constant("teacher_logits")))
        distance = F.kl_div(*soft, reduction="batchmean", log_target=True)
        teacher = case.number("alpha") * distance * SOFT**2
        case.check("loss_with_teacher", total + teacher)
        case.check_loss(
            "loss_no_teacher",
            total,
            grad_query=query,
            grad_sup_logits=logits,
            grad_log_Tc=log_T_c,
        )


def sbcl(case):
    """Both forms of the authors' code, which scales the first term by tau / 0.07.

    The reference takes unit rows as they come; the objective normalises, so its gradient is
    the part of theirs that is tangent to the sphere.
    """
    tau = case.number("temperature")
    named = {
        "target": case.constant("labels"),
        "subclass": case.constant("subclass"),
        "relative_temperature": case.constant("class_temperatures") / tau,
    }
    for block_size in (None, 5):
        for form in ("ccl", "rank"):
            objective = SubclassBalanced(
                tau,
                case.number("base_temperature"),
                case.number("gamma"),
                form,
                block_size=block_size,
            )
            features = case.leaf("features")  # (n, V, d)
            loss = objective(features.transpose(0, 1), **named).mean()
            loss.backward()
            case.check(f"loss_{form}", loss)
            unit, expected = features.detach(), case.constant(f"grad_{form}")
            expected = expected - (expected * unit).sum(-1, keepdim=True) * unit
            case.check(f"grad_{form}", features.grad, expected=expected)
