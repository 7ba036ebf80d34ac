"""Which rows of a stream are kept, to be trained on again beside those that come."""

import numpy as np

from skcontrast._component import Component, Integral, Interval


class Reservoir(Component):
    """Keep rows of a stream so that each has the same chance, however long the stream is.

    The first ``size`` rows are all kept. From then on row number t takes the place of a random
    one with probability size / t (Vitter's algorithm R), so that at any time every row that came
    is kept with that probability.

    Parameters
    ----------
    size : int, default=500
        Number of rows that are kept; 0 keeps none.

    See Also
    --------
    ClassBalancedReservoir : The same number of rows of every class.

    References
    ----------
    Vitter, "Random sampling with a reservoir", ACM Transactions on Mathematical Software 11,
    1985.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.replay import Reservoir
    >>> X, y = load_iris(return_X_y=True)
    >>> encoder = ContrastiveEncoder(replay=Reservoir(size=20), random_state=0)
    >>> for species in range(3):
    ...     encoder = encoder.partial_fit(X[y == species])
    >>> encoder.memory_["rows"].shape, encoder.memory_["n_seen"]
    ((20, 4), array([150]))
    """

    # What stands beside X that tells which rows are kept.
    requires: tuple[str, ...] = ()

    _parameter_constraints = {"size": [Interval(Integral, 0, None, closed="left")]}

    def __init__(self, size: int = 500):
        self.size = size

    def keep(
        self,
        kept: np.ndarray,
        new: np.ndarray,
        n_seen: np.ndarray,
        random: np.random.Generator,
    ) -> np.ndarray:
        """Choose the rows to keep.

        Parameters
        ----------
        kept : int ndarray of shape (n_kept,)
            Class of each row that is kept so far, -1 where it has none.

        new : int ndarray of shape (n_new,)
            Class of each row that comes.

        n_seen : int ndarray of shape (n_classes + 1,)
            Rows of each class that came before; the last entry counts those without a class.

        random : numpy.random.Generator

        Returns
        -------
        index : int ndarray
            Numbers of rows, the new ones being counted on from the kept ones.
        """
        number, index = len(kept) + np.arange(len(new)), self._still(len(kept), random)
        n_free = min(self.size - len(index), len(new))
        index, late = np.append(index, number[:n_free]), number[n_free:]
        place = random.integers(n_seen.sum() + n_free + 1 + np.arange(len(late)))
        enters = place < self.size
        index[place[enters]] = late[enters]  # of two for one place the later one stays
        return index

    def _still(self, n_kept, random):
        """Numbers of the kept rows, some at random where ``size`` is smaller than it was."""
        index = np.arange(n_kept)
        return index if n_kept <= self.size else random.choice(index, self.size, replace=False)


class ClassBalancedReservoir(Reservoir):
    """Keep as many rows of each class of a stream as of any other, whatever their order.

    Once all places are taken, a row of a class that has fewer than the largest one takes the
    place of a random row of the largest. Among the rows of one class all have the same chance,
    as in :class:`Reservoir`. Classes need not be known beforehand, and rows without a label
    count as one class. Needs ``y``.

    Parameters
    ----------
    size : int, default=500
        Number of rows that are kept; 0 keeps none.

    References
    ----------
    Chrysakis and Moens, "Online continual learning from imbalanced data", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.replay import ClassBalancedReservoir
    >>> X, y = load_iris(return_X_y=True)
    >>> encoder = ContrastiveEncoder(replay=ClassBalancedReservoir(size=30), random_state=0)
    >>> for rows in (slice(0, 90), slice(90, 150)):
    ...     encoder = encoder.partial_fit(X[rows], y[rows])
    >>> np.bincount(encoder.memory_["target"])
    array([10, 10, 10])
    """

    requires = ("target",)

    def keep(
        self,
        kept: np.ndarray,
        new: np.ndarray,
        n_seen: np.ndarray,
        random: np.random.Generator,
    ) -> np.ndarray:
        n_seen = n_seen.copy()
        index = self._still(len(kept), random)
        n_kept = np.bincount(kept[index] % len(n_seen), minlength=len(n_seen))
        index, classes = list(index), list(kept[index])
        for number, code in enumerate(new, len(kept)):
            n_seen[code] += 1
            if len(index) < self.size:
                index.append(number)
                classes.append(code)
                n_kept[code] += 1
                continue
            # A class that misses one row only is full too: two would else take places in turn.
            largest = n_kept.max()
            grows = n_kept[code] < largest - 1
            if not grows and random.random() >= n_kept[code] / n_seen[code]:
                continue
            leaves = random.choice(np.flatnonzero(n_kept == largest)) if grows else code
            places = np.flatnonzero(np.array(classes) % len(n_seen) == leaves % len(n_seen))
            place = random.choice(places)
            index[place], classes[place] = number, code
            n_kept[leaves] -= 1
            n_kept[code] += 1
        return np.array(index, dtype=np.int64)


RESERVOIRS = {"class_balanced": ClassBalancedReservoir, "reservoir": Reservoir}

__all__ = ["RESERVOIRS", "ClassBalancedReservoir", "Reservoir"]
