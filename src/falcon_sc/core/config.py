"""Every hyperparameter of the method, in the paper's notation, documented once."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_type_hints

from falcon_sc.core.presets import PaperSettings
from falcon_sc.core.settings.ranges import checked

StartMethod = Literal["consensus", "random"]
Prior = Literal["uniform", "within_coarse"]
Schedule = Literal["cosine", "step"]
Optimizer = Literal["adamw", "sgd"]
Solver = Literal["auto", "flow", "gurobi"]
Metric = Literal["cosine", "euclidean"]
Precision = Literal["float32", "bfloat16"]
Predictions = Literal["teacher", "student"]


@dataclass(frozen=True, kw_only=True)
class FalconConfig(PaperSettings):
    r"""Hyperparameters of FALCON.

    The defaults are ours and are one setting for all data sets of cells. :meth:`paper` gives the setting that the
    text of the paper has for single cells, and :meth:`cifar100`, :meth:`cifar68`, :meth:`cifar_si`, :meth:`breeds` and
    :meth:`tiered_imagenet` those for images; :meth:`published` gives what the authors' code does. "Paper" means the
    text, "published code" the code, where the text is silent or says otherwise.

    Parameters
    ----------
    lambda_1, lambda_2
        Weights of the coarse loss, and of consistency and confidence (eq. 8), in eq. 10. Default: paper.
    lambda_nn, lambda_conf
        Weights of consistency (eq. 4) and of confidence (eq. 6) in eq. 8. Default: paper, which drops the latter beside
        `lambda_1` in the third row of table 5.
    lambda_3
        Weight of the regularizer (eq. 9, or what `prior` says) in eq. 10. Paper: 0.5 for cells. Default: paper, for CIFAR-100.
    lambda_M
        Weight of the balance penalty of the relation step (eq. 14). Paper: 5e-3 for cells. Default: ours, 0, because
        the start already says how many fine classes each coarse class has.
    drop_lambda_M
        `lambda_M` is 0 after `anneal_share` of the run (published code; the default); `False`: constant (paper).
    temperature
        `T` of the sharpened target (eq. 7). Default: paper.
    gamma
        Decay of the exponential moving average of the weights, per iteration (eq. 5). Default: paper.
    relation_interval
        `P` of algorithm A1: iterations between two relation updates. Default: paper. Published code: 30 for cells.
    relation_predictions
        Predictions in C (eq. 12). `"teacher"`: of the moving average, for the last `relation_interval` batches
        (published code; the default). `"student"`: of :math:`f_\theta`, afresh for `relation_batches` batches (paper).
    relation_batches
        Batches of each data set that are gathered afresh. Default: paper.
    n_neighbors
        `L` of eq. 4: neighbors searched for each sample inside its coarse class. Default: paper.
    n_neighbors_per_step
        How many of the `n_neighbors` are drawn for a sample at each iteration. `None`: all of them, as in eq. 4 (paper).
        Published code: 5. Default: ours, for the time; the labels are as good (docs/tuning.md).
    metric
        Distance of the neighbor search. Default: published code; the paper does not name it.
    prior
        What is expected of the sizes of the fine classes. `"uniform"`: all are of one size. The regularizer is eq. 9, and
        a start from labels shares `n_fine` out by the sizes of the coarse classes and has mixtures of equal weights.
        `"within_coarse"`: nothing (ours). The start finds numbers and sizes, and the regularizer is the Kullback-Leibler
        divergence, inside each coarse class, of the mean prediction from the class sizes of the start raised to
        `prior_power`, so that neither the known coarse proportions nor rare classes are fought.
    prior_power
        For `"within_coarse"`. 0: all fine classes of a coarse class are pulled to one size; 1 (ours): to the sizes of the start.
    start
        `"consensus"`: labels from a consensus of mixtures inside each coarse class, which the network learns and then
        refines (ours: a random start collapses on a few thousand cells). `"random"`: random weights and M (algorithm A1).
    start_n_genes
        Genes chosen inside each coarse class for the start. Default: as many as the paper chooses over all cells.
    start_max_cells
        Cells of a coarse class that the start is fitted on; the others follow. Default: ours, for its time and memory.
    start_n_repeats
        Clusterings of each kind and representation in the start; twice or four times as many in coarse classes where the
        consensus hangs on which of them vote. More of them vary less between seeds. Default: ours.
    leaves_per_class
        Leaves that the tree of splits inside a coarse class has for each fine class, and one more, at most; 1: no tree. The
        network has an output for each leaf, and the probability of a fine class is the sum of theirs. Only for one data set
        and a start from labels, with `prior="within_coarse"` and `restrict_to_coarse`. Default: ours; a cut can go twice as deep.
    warmup_iterations
        Iterations of plain cross-entropy on the labels of the start before eq. 10 takes over, at most half of the run. Only
        with a start from labels. Must be enough to learn them: pseudo-labels of classes that the network has not learned yet
        are lost. Default: ours; with a third as many rare classes of 83 were (docs/tuning.md).
    lambda_start
        Weight, after the warm-up, of the cross-entropy to the labels of the start, in which samples of small classes weigh
        more (by one over the square root of the size): without it their neighbors absorb them. What the labels say about
        M, beside the predictions (eq. 12), does not hang on it. Default: ours, for cells; 0 for images, whose backbone
        finds better labels than those it begins with (:func:`falcon_sc.vision.discover`).
    n_pcs
        Principal components that replace the input features; `None` trains on the features themselves (paper). Inputs with
        no more features than this are taken as they are. Default: ours; new cells get labels as good as from the features
        themselves, in half the time, and with 50 components worse ones (docs/tuning.md).
    n_hidden, n_layers
        Width and number of the hidden linear layers of the MLP, each followed by a ReLU. Paper: 64 and 4. Default: ours,
        because so narrow a network does not keep rare classes apart where there are many classes (docs/tuning.md).
    batch_norm
        Batch normalization before each ReLU. Default: ours; the paper names none for cells, where it collapses without.
    max_epochs
        Passes over the data. `None` (ours): as many as `min_iterations` take, at least 2.
    min_iterations
        Iterations, at least, when `max_epochs` is `None`: on 2,000 cells an epoch is but a few. Default: ours, the
        shortest run that gave labels as good as one of 1,400 did, also with 83 classes, after a start from labels
        (docs/tuning.md); a random start takes several times as many.
    batch_size
        Samples an iteration. `None` (ours): the power of two nearest below an eighth of the samples, from 128 to 512, and
        1,024 from 16,384 samples on: with 512 a network does not learn the rare ones of many classes there.
    optimizer
        `"sgd"` with `momentum` (paper) or `"adamw"` (ours: it stays finite).
    lr
        Learning rate. Paper: 0.1 for large images, no other is named. Default: ours, for AdamW.
    momentum
        Momentum of SGD. Default: paper, for large images.
    weight_decay
        Weight decay. Default: paper, for large images.
    schedule
        `"cosine"` over the run (paper, large images), or `"step"`: a tenth after each of `milestones` (paper, small
        images and cells). Default: as large images.
    final_lr
        Learning rate at which the cosine ends. Paper: 0.001 for large images. Default: ours, 0.
    n_cycles
        Cosines in the run, each from `lr` down to `final_lr`. Paper: one for every 30 epochs on large images.
    milestones
        Shares of the run after which the step schedule divides the learning rate by ten. Default: paper (epochs
        6 and 8 of 10).
    anneal_to_one_hot
        The pseudo-labels go from eq. 7 to its argmax (published code; the default); `False`: they stay soft (paper).
    anneal_share
        Share of the run over which they do so, along a cosine. Default: published code (3 epochs of 10).
    max_grad_norm
        Gradients of a larger norm are scaled down to it (ours, to stay finite); `None`: never (the paper names no limit).
    precision
        `"bfloat16"`: on a CUDA device the network, but not the losses, computes in half precision (ours, for images). Other
        devices compute in `"float32"`, the default, whatever is asked for.
    restrict_to_coarse
        Predict only among the children of a known coarse label (ours); `False` is the paper's unrestricted argmax.
    relation_solver
        `"flow"`: exact, no license (ours). `"gurobi"`: the paper's integer program. `"auto"`: flow.
    relation_time_limit
        Seconds that Gurobi may take for one relation update. Default: paper.
    n_jobs
        Cores taken, on a machine that is shared. `None` or -1: all that may be used. The start works on as many coarse classes
        at once, in a process for each core and for every 500 samples, and gives the same labels with any number.

    Raises
    ------
    ValueError
        If a value is outside its range. Weights, `prior_power`, `final_lr` and `weight_decay` are at least 0; `lr`,
        `temperature`, `max_grad_norm` and `relation_time_limit` above 0; `gamma`, `momentum` and shares of the run from 0 to 1;
        whole numbers at least 1, or 0 for `warmup_iterations`. `n_neighbors_per_step` is at most `n_neighbors`.

    Examples
    --------
    >>> from falcon_sc import FalconConfig
    >>> FalconConfig(lambda_3=4.0).lambda_3
    4.0
    """

    lambda_1: float = 0.5
    lambda_2: float = 0.5
    lambda_nn: float = 1.0
    lambda_conf: float = 1.0
    lambda_3: float = 2.0
    lambda_M: float = 0.0
    drop_lambda_M: bool = True
    temperature: float = 0.9
    gamma: float = 0.99
    relation_interval: int = 20
    relation_predictions: Predictions = "teacher"
    relation_batches: int = 20
    n_neighbors: int = 20
    n_neighbors_per_step: int | None = 2
    metric: Metric = "cosine"
    prior: Prior = "within_coarse"
    prior_power: float = 1.0
    start: StartMethod = "consensus"
    start_n_genes: int = 2000
    start_max_cells: int = 3500
    start_n_repeats: int = 4
    leaves_per_class: int = 2
    warmup_iterations: int = 600
    lambda_start: float = 0.1
    n_pcs: int | None = 200
    n_hidden: int = 128
    n_layers: int = 2
    batch_norm: bool = True
    max_epochs: int | None = None
    min_iterations: int = 1000
    batch_size: int | None = None
    optimizer: Optimizer = "adamw"
    lr: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = "cosine"
    final_lr: float = 0.0
    n_cycles: int = 1
    milestones: tuple[float, ...] = (0.6, 0.8)
    anneal_to_one_hot: bool = True
    anneal_share: float = 0.3
    max_grad_norm: float | None = 5.0
    precision: Precision = "float32"
    restrict_to_coarse: bool = True
    relation_solver: Solver = "auto"
    relation_time_limit: float = 30.0
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            object.__setattr__(self, name, checked(name, getattr(self, name), hint))
        if self.n_jobs == 0:
            msg = "n_jobs=0 leaves no core to compute on: give at least 1, or -1 or None for all."
            raise ValueError(msg)
        if self.batch_size == 1 and self.batch_norm:
            msg = "batch_size=1 leaves batch normalization no mean to take: give at least 2, or batch_norm=False."
            raise ValueError(msg)
        if (self.n_neighbors_per_step or 0) > self.n_neighbors:
            drawn, searched = self.n_neighbors_per_step, self.n_neighbors
            msg = f"n_neighbors_per_step={drawn} is larger than n_neighbors={searched}: draw at most what is searched."
            raise ValueError(msg)

    def n_epochs(self, n_samples: int) -> int:
        """Passes over `n_samples` samples that this configuration asks for."""
        if self.max_epochs is not None:
            return self.max_epochs
        return max(2, math.ceil(self.min_iterations / self.iterations_per_epoch(n_samples)))

    def samples_per_batch(self, n_samples: int) -> int:
        """Samples an iteration on a data set of `n_samples`."""
        if self.batch_size is not None:
            return min(self.batch_size, n_samples)
        eighth = 1 << int(math.log2(max(n_samples, 8) / 8))
        return min(max(eighth, 128), 1024 if n_samples >= 2**14 else 512, n_samples)

    def iterations_per_epoch(self, n_samples: int) -> int:
        """Full batches in one pass; the samples left over are drawn in other epochs."""
        return n_samples // self.samples_per_batch(n_samples)

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON and `adata.uns`."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> FalconConfig:
        """The inverse of :meth:`to_dict`."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})  # type: ignore[arg-type]
