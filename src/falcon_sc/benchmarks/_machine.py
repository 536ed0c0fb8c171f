"""What a benchmark ran on, nothing that tells whose machine it was: versions and processor; and what it took of it."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("falcon-sc", "numpy", "torch")


def describe() -> dict[str, str | int]:
    """Describe the machine: the keys are ``python``, the packages, ``cpu`` and ``cores`` (usable ones)."""
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }


def cpu_seconds() -> float:
    """CPU seconds of this process so far, and of the processes that it started and that are over, as those of the start."""
    over = os.times()
    return time.process_time() + over.children_user + over.children_system


def _cpu() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
