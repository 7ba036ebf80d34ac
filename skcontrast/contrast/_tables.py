"""Tables of numbers as the estimators of this room read them: dense, and all values there."""

import numpy as np
import scipy.sparse as sp

from skcontrast._arrays import refuse_huge


def numbers(read, X, source, name="X"):
    """A table of numbers as an array, by ``read``, which is ``source.fit_columns`` or ``.read``."""
    if sp.issparse(X):
        raise TypeError(
            f"Sparse data was passed for {name}, but {source.owner} reads dense tables: pass "
            f"{name}.toarray(), or a TruncatedSVD of it."
        )
    advice = f"impute them first, such as by make_pipeline(SimpleImputer(), {source.owner}())"
    try:
        X = read(X)
    except ValueError as error:
        if "contains NaN" in str(error):
            raise ValueError(f"{name} contains NaN, missing values: {advice}.") from None
        raise
    if source.expansion_ is not None and not source.expansion_.is_plain:
        raise ValueError(
            f"{name} has columns of categories, or with missing values (NaN): encode and {advice}."
        )
    X = np.asarray(X)
    refuse_huge(X, name)
    return X
