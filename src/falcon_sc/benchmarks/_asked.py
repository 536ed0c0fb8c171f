"""What a benchmark is asked for by name: methods, tables, data sets, classes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def chosen(asked: Sequence[str], known: Iterable[str], argument: str) -> tuple[str, ...]:
    """The names that are asked for, as :func:`whole_names`; those that are not known, and none at all, are refused.

    Raises
    ------
    ValueError
        It names the `argument` and lists what is known.
    """
    known = list(known)
    names = whole_names(asked, known)
    if unknown := sorted(set(names).difference(known)):
        msg = f"{argument}: {unknown} are not among {known}."
        raise ValueError(msg)
    if not names:
        msg = f"{argument}: none is given, there are {known}."
        raise ValueError(msg)
    return names


def methods_of(asked: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """The methods that are asked for. What would end in an ImportError after others have run for days is refused.

    Raises
    ------
    ValueError
        If one is not known.
    ImportError
        If the packages of one are not installed.
    """
    methods = chosen(asked, known, "methods")
    if any(name.startswith("Leiden") for name in methods) and not (find_spec("leidenalg") and find_spec("igraph")):
        msg = "methods: Leiden needs leidenalg and igraph: pip install 'scanpy[leiden]', or name the other methods."
        raise ImportError(msg)
    if "scVI + Leiden" in methods:
        from falcon_sc.baselines._scvi import check_installed

        check_installed("methods: scVI + Leiden")
    return methods


def whole_names(asked: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """Names as they are known, whatever their capitals; those that are not known stay as they are.

    The command line has commas between names, and some names hold one: parts that make a name together are that name,
    the longest there is.
    """
    known = list(known)
    names = {_plain([name]): name for name in known}
    found, begin = [], 0
    while begin < len(asked):
        ends = range(len(asked), begin, -1)
        end = next((end for end in ends if _plain(asked[begin:end]) in names), begin + 1)
        exact = ", ".join(asked[begin:end])
        found.append(exact if exact in known else names.get(_plain(asked[begin:end]), asked[begin]))
        begin = end
    return tuple(found)


def _plain(parts: Sequence[str]) -> str:
    """A name without what people write in one way or another: capitals, and spaces at commas."""
    return ",".join(part.strip() for part in ",".join(parts).split(",")).lower()
