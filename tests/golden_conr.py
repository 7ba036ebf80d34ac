"""Adapter of the golden file of ConR."""

from skcontrast.functional import normalize
from skcontrast.objectives import ConR


def conr(case):
    """ConR in its published form, whose sum over the positives adds one for other rows.

    The weights of the rows are a factor of their negatives, and of their losses. The
    temperature is the one that the code takes, whatever is asked for.
    """
    tau = case.number("temperature_effective")
    target, prediction = case.constant("targets"), case.constant("preds")
    n = len(target)
    weight = case.constant("weights").double().flatten().expand(n)
    y, p = target.reshape(n, -1), prediction.reshape(n, -1)
    for block_size in (None, 4):
        settings = {"temperature": tau, "window": case.number("w"), "push": case.number("e")}
        settings |= {"weight": 1, "form": "reference", "block_size": block_size}
        objective = ConR(**settings)
        features = case.leaf("features")
        loss, _ = objective.contrast(normalize(features), y, p, tau, weight=weight)
        case.check_loss("loss", (weight * loss).mean(), grad=features)
        if (weight == 1).all():
            features = case.leaf("features")
            loss = objective(features[None], target=target, prediction=prediction)
            case.check_loss("loss", loss.mean(), grad=features)
