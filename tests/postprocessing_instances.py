"""The estimators that work on an embedding after training, for the tests of all of them."""

from skcontrast.postprocessing import (
    BinaryCodes,
    GroupCentering,
    HubnessReducedNeighbors,
    Whitening,
)


def postprocessing_instances():
    """Instances for tables of a few columns."""
    return [
        BinaryCodes(1, random_state=0),
        BinaryCodes(1, rotation=None, packed=True),
        GroupCentering(),
        HubnessReducedNeighbors(2),
        HubnessReducedNeighbors(2, method="local_scaling", metric="euclidean", k=3),
        HubnessReducedNeighbors(2, method="csls"),
        HubnessReducedNeighbors(2, method="dis_sim_local"),
        Whitening(),
        Whitening(power=0.5, shrinkage=0.1, normalize=True),
        Whitening(1, method="pca", random_state=0),
        Whitening(method="cholesky"),
    ]
