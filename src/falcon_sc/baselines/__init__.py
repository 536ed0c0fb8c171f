"""What people use today, and every system that the paper compares with, on the same inputs."""

from falcon_sc.baselines.ancor import ANCOR
from falcon_sc.baselines.count_density_peaks import PeakCounts, count_density_peaks
from falcon_sc.baselines.george import GEORGE
from falcon_sc.baselines.kmeans import FairKMeans
from falcon_sc.baselines.leiden import FairLeiden
from falcon_sc.baselines.mixture import FairMixture
from falcon_sc.baselines.scan import SCAN
from falcon_sc.baselines.scan_c import SCANC
from falcon_sc.baselines.scan_finetune import SCANFinetune
from falcon_sc.baselines.scan_per_coarse import SCANPerCoarse
from falcon_sc.baselines.scgm import SCGM
from falcon_sc.baselines.scvi_leiden import SCVILeiden
from falcon_sc.baselines.snca import SNCA
from falcon_sc.baselines.turtle import TURTLE
from falcon_sc.baselines.upper_bound import UpperBound

__all__ = [
    "ANCOR",
    "GEORGE",
    "SCAN",
    "SCANC",
    "SCGM",
    "SNCA",
    "TURTLE",
    "FairKMeans",
    "FairLeiden",
    "FairMixture",
    "PeakCounts",
    "SCANFinetune",
    "SCANPerCoarse",
    "SCVILeiden",
    "UpperBound",
    "count_density_peaks",
]
