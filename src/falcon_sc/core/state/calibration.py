"""Probabilities that are no surer than the clusterings behind the labels were of each other.

A network that is trained on hard labels gives nearly every sample a probability near one, whether its class is clear
or a cut through a continuum. The clusterings of the start know which: their mean agreement sets a temperature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.training.networks import FineClassifier

_RANGE = (0.05, 50.0)  # of the temperature
SAMPLES = 20_000  # looked at; they are evenly spaced


def calibrate(classifier: FineClassifier, proba: NDArray[np.float32], agreement: NDArray[np.float32]) -> None:
    """Divide the logits of `classifier` by one temperature.

    The mean probability of the class chosen becomes the mean agreement, as far as a temperature can do that. Which
    class is chosen does not change.

    Parameters
    ----------
    classifier
        Its head is changed in place.
    proba
        (N, K_F), its probabilities of the samples.
    agreement
        (N,), of the clusterings on the label of each sample.
    """
    chosen = temperature(proba, float(agreement.mean(dtype=np.float64)))
    with torch.no_grad():
        classifier.head.weight.div_(chosen)
        classifier.head.bias.div_(chosen)


def temperature(proba: NDArray[np.float32], wanted: float) -> float:
    """The temperature at which the mean of the largest probability of each sample is `wanted`; 1 where none is."""
    from scipy.optimize import brentq

    some = proba[:: -(-len(proba) // SAMPLES)]

    def excess(log_temperature: float) -> float:
        return float(tempered(some, float(np.exp(log_temperature))).max(axis=1).mean(dtype=np.float64)) - wanted

    low, high = np.log(_RANGE)
    if excess(low) <= 0 or excess(high) >= 0:  # no temperature does it: most coarse classes have one fine class
        return 1.0
    return float(np.exp(brentq(excess, low, high, xtol=1e-3)))


def tempered(proba: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """softmax(logits / temperature) from softmax(logits); what is zero stays so."""
    with np.errstate(divide="ignore"):
        scaled = np.asarray(np.log(proba) / temperature, dtype=np.float32)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled
