import itertools
import logging

from falcon_sc.benchmarks.performance._measuring import Clock, Stages


class Ticks(Clock):
    """A second later each time it is asked."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1)

    def seconds(self) -> tuple[float, float]:
        now = float(next(self._ticks))
        return now, 2 * now


def test_stages_end_where_the_log_says_so():
    stages = Stages(Ticks())
    logger = logging.getLogger("falcon_sc.core")
    with stages.of_log():
        for line in (
            "adata.X: taken for raw counts",
            "start: 300 samples in 3 coarse classes, up to 8 fine ones in each",
            "start: in 1 of 3 coarse classes one axis leads: clusters in log values alone",  # not in every run
            "start: the clusterings agree on a label to 80 %, on average",
            "start: fine classes in each coarse class: a 2, b 3, c 1",
            "neighbors: 20 in each of 3 coarse classes",
            "training: on the CPU",
        ):
            logger.info(line)
    stages.end("writing")
    assert stages.lengths() == {
        "genes and projection": (1, 2),
        "start": (3, 6),
        "neighbors": (1, 2),
        "training": (1, 2),
        "writing": (1, 2),
    }
