"""Tables that take hours: what is finished is kept and not run again; several runs at once, each on a core of its own."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int
from falcon_sc.core.runtime.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    # what is run, by columns of the table -> further columns
    Measure = Callable[[Mapping[str, Any]], dict[str, Any]]

_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
    "LOKY_MAX_CPU_COUNT",  # what joblib.cpu_count goes by
)


def complete(
    path: Path | None, asked: Sequence[Mapping[str, Any]], measure: Measure, *, jobs: int | None = 1
) -> pd.DataFrame:
    """Measure each run that is asked for, unless the file has it.

    Parameters
    ----------
    path
        CSV, written after each run; other rows stay in it. None: nothing is written.
    asked
        Runs, by the columns that tell them apart: the same for all.
    measure
        From these columns to the further ones.
    jobs
        Runs at once, see :func:`n_jobs`. More than one: each in a process of its own with one thread, and `measure`
        must be picklable. Results do not depend on it, but for the rounding of sums over several threads.

    Returns
    -------
    A row a run, in the order of `asked`.
    """
    import pandas as pd

    columns = list(asked[0])
    rows = kept(path)
    found = {_key(row, columns): row for row in reversed(rows)}
    left = [dict(run) for run in asked if _key(run, columns) not in found]
    for run, further in _results(left, measure, n_jobs(jobs)):
        found[_key(run, columns)] = row = run | further
        rows.append(row)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, partial(pd.DataFrame(rows).to_csv, index=False))
    return pd.DataFrame([found[_key(run, columns)] for run in asked])


def n_jobs(jobs: int | None) -> int:
    """Runs at once; `None`: one for each core that this process may use.

    Raises
    ------
    TypeError, ValueError
        If it is no number, or less than 1.
    """
    from joblib import cpu_count

    if jobs is None:
        return int(cpu_count())
    check_int(jobs, "jobs")
    return jobs


def kept(path: Path | None) -> list[dict[str, Any]]:
    """Rows of runs before this one."""
    import pandas as pd

    if path is None or not path.is_file():
        return []
    return [{str(k): v for k, v in row.items()} for row in pd.read_csv(path).to_dict("records")]


def _key(row: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...]:
    """What tells runs apart, as text: a file has read numbers out of it."""
    return tuple(str(row.get(column)) for column in columns)


def _results(
    left: Sequence[dict[str, Any]], measure: Measure, jobs: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Runs and what was measured, as they end."""
    if min(jobs, len(left)) < 2:
        yield from ((run, measure(run)) for run in left)
        return
    still = iter(left)
    # not joblib's processes: they end when they have nothing to do for minutes, and the others were seen to wait for them
    with (
        _one_core_each(),
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool,
    ):
        # what a run needs goes to a process with it, not before
        running = {pool.submit(measure, run): run for run in islice(still, jobs)}
        while running:
            for ended in wait(running, return_when=FIRST_COMPLETED).done:
                run = running.pop(ended)
                running |= {pool.submit(measure, following): following for following in islice(still, 1)}
                yield run, ended.result()


def _end_with_parent() -> None:
    """In a process of the pool: end when the one that began it ends, were it killed. It would wait for more for ever, with its data."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def _one_core_each() -> Iterator[None]:
    """Processes that begin here compute on one thread; joblib, too, counts one core in them."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
