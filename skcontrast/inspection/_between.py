"""What lies between two points of an embedding of a path."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import check_positive, check_table


def infer_between(
    z_start: ArrayLike,
    z_goal: ArrayLike,
    n_steps: int,
    A: ArrayLike | None = None,
    c: float = 1.0,
) -> np.ndarray:
    r"""Most likely path between two points of an embedding, by interpolation.

    Where the embedding is normal, :math:`z \sim N(0, c I)`, and follows

    .. math:: z_{t+1} \mid z_t \sim N\Big(\frac{c}{c+1} A z_t, \frac{c}{c+1} I\Big)

    the n steps between a start s and a goal g are jointly normal. Their mean, which is also
    the most likely path, solves the block tridiagonal system of

    .. math::

        -A z_{t-1} + \Big(\frac{c+1}{c} I + \frac{c}{c+1} A^\top A\Big) z_t - A^\top z_{t+1} = 0,
        \qquad z_0 = s, \; z_{n+1} = g

    With ``A=None``, the identity, and a large c it is a straight line; a small c draws the
    path towards zero on its way.

    Parameters
    ----------
    z_start, z_goal : array-like of shape (n_components,)
        Embedding of the two ends.

    n_steps : int
        Number of points between them.

    A : array-like of shape (n_components, n_components), default=None
        Linear map from an embedding to the next; None is the identity. Of a recording it is
        (c + 1) / c times the least-squares solution B of ``z[:-1] @ B.T = z[1:]``.

    c : float, default=1.0
        Variance of a column of the embedding.

    Returns
    -------
    path : ndarray of shape (n_steps, n_components)
        Points from the start to the goal, without these. The nearest rows to them are a plan.

    Notes
    -----
    It is as good as its assumption: objectives on the unit sphere do not make normal
    embeddings. Time is O(n_steps n_components^3).

    References
    ----------
    Eysenbach et al., "Inference via interpolation: contrastive representations provably enable
    planning and inference", NeurIPS 2024.

    Examples
    --------
    >>> from skcontrast.inspection import infer_between
    >>> infer_between([0.0, 0.0], [4.0, 8.0], n_steps=3, c=1e6).round(3)
    array([[1., 2.],
           [2., 4.],
           [3., 6.]])
    """
    n_steps, c = check_count(n_steps, "n_steps"), check_positive(c, "c")
    start, goal = (
        check_table(np.reshape(z, (1, -1)), name, 1)[0]
        for z, name in ((z_start, "z_start"), (z_goal, "z_goal"))
    )
    d = len(start)
    A = np.eye(d) if A is None else check_table(A, "A", 1)
    if goal.shape != (d,) or A.shape != (d, d):
        raise ValueError(
            f"z_start has {d} columns, z_goal {len(goal)} and A the shape {A.shape}: pass two "
            "rows of one embedding, and A with a row and a column for each of its columns."
        )
    diagonal = (c + 1) / c * np.eye(d) + c / (c + 1) * A.T @ A
    # Elimination block by block, from the start on, and back from the goal.
    factors, right = [], []
    pulled, less = A @ start, 0.0
    for _ in range(n_steps):
        factors.append(cho_factor(diagonal - less))
        right.append(pulled)
        pulled = A @ cho_solve(factors[-1], pulled)
        less = A @ cho_solve(factors[-1], A.T)
    path, following = [], goal
    for factor, known in zip(reversed(factors), reversed(right)):
        following = cho_solve(factor, known + A.T @ following)
        path.append(following)
    return np.array(path[::-1])
