"""The estimators that work on an embedding after training, for the tests of all of them."""

from skcontrast.postprocessing import GroupCentering, Whitening


def postprocessing_instances():
    """Instances for tables of a few columns."""
    return [
        GroupCentering(),
        Whitening(),
        Whitening(power=0.5, shrinkage=0.1, normalize=True),
        Whitening(1, method="pca", random_state=0),
        Whitening(method="cholesky"),
    ]
