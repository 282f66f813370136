"""Whether usage rows are written by a process of their own."""

import os
from pathlib import Path
from typing import Final, Literal

UsageWriterChoice = Literal["auto", "process", "thread"]
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def writes_apart(choice: UsageWriterChoice, workers: int, cores: float) -> bool:
    """A process beside each worker pays where there are cores for it; else it would only take memory."""
    return choice == "process" or (choice == "auto" and cores > workers)


def cores(quota: Path = _QUOTA) -> float:
    """Processors this process may use: those it is bound to, or what a container's quota allows, if less."""
    bound = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        allowed, period = quota.read_text().split()
        return min(bound, int(allowed) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return bound  # no container, or no limit ("max")
