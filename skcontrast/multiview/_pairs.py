"""What a shared space of several blocks is used for: pairs, search across blocks, one block."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skcontrast._canonical import mean_reciprocal_rank, reciprocal_ranks, unit_rows
from skcontrast._component import check_count
from skcontrast._inputs.blocks import check_name
from skcontrast._site import OnSite
from skcontrast._state import OwnState
from skcontrast._typing import RowsLike, Self


class SharedSpace(OwnState):
    """Methods of estimators that bring several blocks into one space.

    A subclass has ``input_``, a BlocksInput, and ``_slots(X) -> (V, n, d)``, the embeddings of
    checked rows, and ``_of_block(X, name) -> (n, d)``, that of checked rows of one block; both
    unit rows. ``_multiplies`` says whether blocks are joined by products, not by means, and
    ``_partners`` the numbers of the blocks that belong together.
    """

    input_: Any
    _slots: Any
    _of_block: Any
    _multiplies = False

    @property
    def _partners(self):
        return list(range(len(self.input_.names)))

    def transform_block(self, X_block: RowsLike, block: str) -> np.ndarray:
        """Embed rows of one block alone, to compare them with rows of others.

        Parameters
        ----------
        X_block : rows of that block, of n_samples
            As the block was in :meth:`fit`: its columns alone, or its texts.

        block : str
            Name of the block.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Unit rows: products of two are cosines.
        """
        check_is_fitted(self, "input_")
        X = self.input_.read_block(X_block, block)
        return self._of_block(X, block)

    def block_encoder(self, block: str) -> BlockEncoder:
        """Make a transformer of one block, for a Pipeline.

        Parameters
        ----------
        block : str
            Name of the block.

        Returns
        -------
        encoder : BlockEncoder
            Fitted, and frozen as scikit-learn's FrozenEstimator is.
        """
        check_is_fitted(self, "input_")
        check_name(block, self.input_.inputs_, "block_encoder")
        return BlockEncoder(self, block)

    def score_pairs(self, X: RowsLike, blocks: list | tuple | None = None) -> np.ndarray:
        """How well the blocks of each row belong together.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        blocks : list of str, default=None
            Names of two or more blocks; None takes all but one of hard negatives.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Mean cosine of the pairs of blocks that a row has, NaN where it has one alone. After
            training with ``Symile``, the sum of the products of all blocks.
        """
        Z, present = self._embedded(X)
        chosen = self._partners
        if blocks is not None:
            blocks = [blocks] if isinstance(blocks, str) else blocks
            for name in blocks:
                check_name(name, self.input_.inputs_, "blocks=")
            chosen = [self.input_.names.index(name) for name in dict.fromkeys(blocks)]
            if len(chosen) < 2:
                raise ValueError(f"blocks={blocks!r} names one block: type two or more.")
        return self._pair_scores(Z[chosen], present[chosen])

    def _pair_scores(self, Z, present):
        """Scores (n,) of the rows of embeddings (V, n, d), of which some are present."""
        if self._multiplies:
            return np.where(present.all(axis=0), Z.prod(axis=0).sum(axis=-1), np.nan)
        Z = Z * present[:, :, None]
        n = present.sum(axis=0)
        # The squared length of the sum holds every pair twice, and every row once.
        twice = np.square(Z.sum(axis=0)).sum(axis=-1) - np.square(Z).sum(axis=(0, 2))
        return np.where(n > 1, twice / np.maximum(n * (n - 1), 1), np.nan)

    def _paired_and_parted(self, X, rng, n_times):
        """Scores of rows (n,), and of as many whose blocks are of other rows, up to n_times."""
        Z, present = self._partnered(X)
        n_blocks, n = Z.shape[:2]
        order = rng.permutation(n)  # rows that lie together may be alike
        # Of few rows some of these steps would bring two blocks of a row together again.
        steps = [k for k in range(1, n) if all(k * apart % n for apart in range(1, n_blocks))]
        parted = [np.empty(0)]
        for k in steps[:n_times]:
            at = [np.roll(order, k * v) for v in range(n_blocks)]
            moved = np.array([z[i] for z, i in zip(Z, at)])
            there = np.array([p[i] for p, i in zip(present, at)])
            parted.append(self._pair_scores(moved, there))
        return self._pair_scores(Z, present), np.concatenate(parted)

    def similarity(self, queries: dict[str, Any], candidates: dict[str, Any]) -> np.ndarray:
        """Compare rows of some blocks with rows of others.

        Parameters
        ----------
        queries : dict of str to rows
            Rows of one block or more, by name, each with as many: the m queries.

        candidates : dict of str to rows
            The same, for the k candidates.

        Returns
        -------
        scores : ndarray of shape (m, k)
            Cosine of the mean of the query's blocks and the mean of the candidate's. After
            training with ``Symile``, the sum of the products of all blocks.
        """
        check_is_fitted(self, "input_")
        first, second = self._joined(queries, "queries"), self._joined(candidates, "candidates")
        return first @ second.T

    def score(self, X: RowsLike, y: Any = None) -> float:
        """Mean reciprocal rank of the own partner of each row, over ordered pairs of blocks.

        Of a row's block the partner in another block is sought among those of all rows of X, so
        that scores are those of sets of one size. Needs no labels: GridSearchCV maximises it.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`; rows count for the pairs of blocks that they have.

        y : default=None
            Not used.

        Returns
        -------
        score : float
        """
        Z, present = self._partnered(X)
        n_blocks = present.sum(axis=0)
        if n_blocks.max() < (len(Z) if self._multiplies else 2):
            least = "all blocks" if self._multiplies else "two blocks"
            raise ValueError(
                f"No row of X has {least}, and score ranks the partners of rows: pass some that "
                "have partners."
            )
        if not self._multiplies:
            return mean_reciprocal_rank(Z, present)
        Z = Z[:, present.all(axis=0)]
        ranks = [reciprocal_ranks(np.delete(Z, v, 0).prod(axis=0), Z[v]) for v in range(len(Z))]
        return float(np.mean(ranks))

    def _embedded(self, X):
        check_is_fitted(self, "input_")
        X = self.input_.read(X)
        present = X.present
        if present is None:
            present = np.ones((len(self.input_.names), X.shape[0]), dtype=bool)
        return self._slots(X).astype(np.float64), present

    def _partnered(self, X):
        """Embeddings of the blocks that belong together, (V, n, d), and which rows have them."""
        return tuple(found[self._partners] for found in self._embedded(X))

    def _joined(self, blocks, name):
        if not isinstance(blocks, dict) or not blocks:
            given = "empty" if isinstance(blocks, dict) else f"a {type(blocks).__name__}"
            raise ValueError(f"{name} is {given}: type {{'a': A}}, rows by name of their block.")
        parts = [self.transform_block(X, block) for block, X in blocks.items()]
        sizes = {len(part) for part in parts}
        if len(sizes) > 1:
            raise ValueError(f"{name} has blocks of {sorted(sizes)} rows: pass as many of each.")
        parts = np.array(parts)
        return parts.prod(axis=0) if self._multiplies else unit_rows(parts.mean(axis=0))

    def _block_columns(self, width):
        """Names of the columns of all blocks beside each other."""
        each = check_count(width // len(self.input_.names), "width")
        return [f"{name}{k}" for name in self.input_.names for k in range(each)]


def filled(Z, present):
    """Embeddings (V, n, d) with the unit mean of a row's blocks in place of those it lacks."""
    if present is None:
        return Z
    mean = unit_rows((Z * present[:, :, None]).sum(axis=0))
    return np.where(present[:, :, None], Z, mean)


class BlockEncoder(OnSite, TransformerMixin, BaseEstimator):
    """One block of a fitted estimator of several, as a transformer.

    :meth:`fit` does nothing, and a clone is the transformer itself: it stays as it was fitted, as
    in scikit-learn's FrozenEstimator.

    Parameters
    ----------
    estimator : CanonicalCorrelation or MultiViewContrastiveEncoder
        Fitted.

    block : str
        Name of the block.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.multiview import CanonicalCorrelation
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(50, 3))
    >>> B = A @ rng.normal(size=(3, 4))
    >>> model = CanonicalCorrelation(2, blocks=[3, 4]).fit(np.hstack([A, B]))
    >>> encoder = model.block_encoder("block1")
    >>> encoder.transform(B).shape, encoder.n_features_in_
    ((50, 2), 4)
    """

    def __init__(self, estimator: Any, block: str):
        self.estimator = estimator
        self.block = block

    def fit(self: Self, X: RowsLike, y: Any = None) -> Self:
        """Do nothing.

        Parameters
        ----------
        X, y : not used

        Returns
        -------
        self : object
        """
        return self

    def transform(self, X: RowsLike) -> np.ndarray:
        """Embed rows of the block.

        Parameters
        ----------
        X : rows of the block, of n_samples

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Unit rows.
        """
        return self.estimator.transform_block(X, self.block)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns: the block and a number.

        Parameters
        ----------
        input_features : not used

        Returns
        -------
        names : ndarray of str
        """
        width = self.estimator.width_
        return np.array([f"{self.block}{k}" for k in range(width)], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Columns of the block, where it has columns."""
        return self.estimator.input_.inputs_[self.block].n_features_in_

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_clone__(self):
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
