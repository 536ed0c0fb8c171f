"""What people use today, on the same inputs: Leiden, K-Means and Gaussian mixtures inside each coarse class."""

from falcon_sc.baselines.kmeans import FairKMeans
from falcon_sc.baselines.leiden import FairLeiden
from falcon_sc.baselines.mixture import FairMixture

__all__ = ["FairKMeans", "FairLeiden", "FairMixture"]
