"""What has to agree in what a folder holds of an encoder and what stands on its space."""

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
