"""How well discovered fine classes agree with known ones, and learned relations with the true ones.

Accuracies and the adjusted Rand index are fractions (0.718, not 71.8); graph edit distances count edits.
"""

from falcon_sc.metrics._clustering import adjusted_rand_index, clustering_accuracy, macro_accuracy, match_classes
from falcon_sc.metrics._graph_edit_distance import graph_edit_distance

__all__ = ["adjusted_rand_index", "clustering_accuracy", "graph_edit_distance", "macro_accuracy", "match_classes"]
