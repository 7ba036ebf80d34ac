"""What has to agree in what a folder holds of an encoder and what stands on its space."""

import numpy as np

from skcontrast._saved.blocks import need


def detector(model):
    n = len(model.rows_)
    need(1 <= model._k < n, "_k is no number of neighbours")
    against = model.outlier_encoder_
    whole = all(isinstance(unit, float) and 0 < unit < float("inf") for unit in model.units_)
    need(whole and len(model.units_) == 1 + (against is not None), "units_ are no such numbers")
    need((against is None) == (model.outlier_rows_ is None), "outlier_rows_ are missing")
    for encoder, rows in ((model.encoder_, model.rows_), (against, model.outlier_rows_)):
        width = getattr(encoder, "n_components_", None)
        need(width is None or rows.shape[1] == width, "rows_ are of another encoder")


def label_credibility(model):
    codes, classes, head = model.codes_, model.classes_, model.classifier_
    need(codes.max() < len(classes) and (codes >= 0).sum() > 1, "codes_ are of other classes")
    need((head is None) == (model.method == "neighbors"), "classifier_ is not that of method")
    need((model.spread_ is None) == (model.method == "confident"), "spread_ is not that of method")
    width = getattr(model.encoder_, "n_components_", None)
    need(width is None or model.rows_.shape[1] == width, "rows_ are of another encoder")
    known = head is None or np.isin(getattr(head, "classes_", ()), classes).all()
    need(known, "classifier_ knows other classes")
