from __future__ import annotations

import pytest

from falcon_sc.benchmarks.paper._on_images import SYSTEMS
from falcon_sc.benchmarks.paper._published import DATASETS, TABLES, published


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (("upper bound", "living17", "ACC"), "86.3 (T2), 86.3 ± 0.2 (H1)"),
        (("SCAN-C", "cifar_si", "ACC"), "48.6 (T2), 49.6 ± 0.2 (H2)"),  # as printed: the tables differ
        (("ANCOR", "tieredimagenet", "ARI"), "34.1 (T2), 34.1 ± 0.3 (H1)"),
        (("FALCON", "pbmc", "mACC"), "35.5 ± 0.9 (H2)"),
        (("SCGM", "entity30", "GED"), "98.7 (T3), 98.7 ± 10.1 (H3)"),
        (("SCAN-per-coarse", "tieredimagenet", "ARI"), "31.7 (H4)"),
        (("K-Means", "cifar100", "ACC"), "-"),
    ],
)
def test_values_with_their_tables(place: tuple[str, str, str], text: str) -> None:
    assert published(*place) == text


def test_the_appendix_repeats_the_tables_of_the_text() -> None:
    """A slip of the pen in one of the two is seen."""
    for short, long in (("T2", "H1"), ("T3", "H3")):
        for place, value in TABLES[long].items():
            assert value.startswith(f"{TABLES[short][place]} ± "), place
    for place, value in TABLES["H4"].items():
        assert TABLES["T2"].get(place, value) == value


def test_every_system_and_data_set_is_there() -> None:
    assert {system for system, _, _ in TABLES["T2"]} | {system for system, _, _ in TABLES["H4"]} < set(SYSTEMS)
    for name in ("T2", "T3", "H3"):
        assert {dataset for _, dataset, _ in TABLES[name]} == set(DATASETS)
