"""A process that computes for another one, which :class:`falcon_sc.core.start.workers.Workers` starts.

Tasks come in on its stdin and go out, with how far they are, on its stdout. It ends when nobody holds the other end of
stdin any more, whatever it is doing: so a process that is killed leaves none behind.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO

# what the tasks need, loaded while nobody waits for it
import falcon_sc.core.start.one_class  # noqa: F401
from falcon_sc.core.start.progress import counting_fits

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    type Task = tuple[Callable[..., Any], dict[str, Any], np.random.Generator]

FITS, DONE, FAILED = range(3)  # what an answer says


def serve() -> None:
    """Compute every task (function, keywords, generator) that comes in; the answer holds the generator as it was left."""
    from threadpoolctl import threadpool_limits

    answers = _only_for_answers()
    tasks: SimpleQueue[Task] = SimpleQueue()
    Thread(target=_read, args=(tasks,), daemon=True).start()
    with threadpool_limits(limits=1):
        while True:
            _compute(tasks.get(), answers)


def _only_for_answers() -> BinaryIO:
    """What stdout was; what libraries print goes to stderr from now on."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _read(tasks: SimpleQueue[Task]) -> None:
    try:
        while True:
            tasks.put(pickle.load(sys.stdin.buffer))
    except (EOFError, pickle.UnpicklingError):  # the other end is closed, or was in the middle of a task
        os._exit(0)
    except BaseException:  # noqa: BLE001 - none of them may leave the other end waiting
        traceback.print_exc()
        os._exit(1)


def _compute(task: Task, answers: BinaryIO) -> None:
    function, given, rng = task
    del task
    try:
        with counting_fits(lambda n: _answer(answers, FITS, n)):
            result = function(**given, rng=rng)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is handed on
        _answer(answers, FAILED, _that_can_be_sent(error))
    else:
        _answer(answers, DONE, (result, rng.bit_generator.state))


def _answer(answers: BinaryIO, about: int, value: Any) -> None:
    try:
        pickle.dump((about, value), answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
    except OSError:  # nobody reads it any more
        os._exit(0)


def _that_can_be_sent(error: Exception) -> Exception:
    """The error, with where it was raised; some cannot be sent as they are."""
    error.add_note("In a worker process:\n" + traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - theirs
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
