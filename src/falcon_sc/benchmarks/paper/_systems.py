"""The systems of the paper's tables by the names that it gives them, in its order, as classes of `falcon_sc.baselines`."""

from __future__ import annotations

TABLE_2 = {
    "upper bound": "UpperBound",
    "SCAN": "SCAN",
    "ANCOR": "ANCOR",
    "SNCA": "SNCA",
    "GEORGE": "GEORGE",
    "SCGM": "SCGM",
    "SCAN-C": "SCANC",
}
TABLE_H4 = {"SCAN-per-coarse": "SCANPerCoarse", "SCAN-finetune": "SCANFinetune"}
CLUSTERINGS = {"Leiden": "FairLeiden", "K-Means": "FairKMeans", "Gaussian mixture": "FairMixture"}  # not in the paper

LEARNS_RELATIONS = ("SCGM",)  # of the baselines, all that the paper gives an edit distance for
TOLD_FINE_LABELS = ("upper bound",)
N_PCS = 50  # that a clustering is given
