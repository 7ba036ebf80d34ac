"""Embeddings after training, in closed form: whiter, centred, with fewer hubs, as bits."""

from skcontrast.postprocessing._bits import BinaryCodes
from skcontrast.postprocessing._centering import GroupCentering
from skcontrast.postprocessing._hubs import HubnessReducedNeighbors
from skcontrast.postprocessing._whitening import Whitening

__all__ = ["BinaryCodes", "GroupCentering", "HubnessReducedNeighbors", "Whitening"]
