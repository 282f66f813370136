"""What this process takes of the machine, as far as the system tells."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from adapters.telemetry.series import Family

_STATM: Final = Path("/proc/self/statm")
_DESCRIPTORS: Final = Path("/proc/self/fd")


def process_families(started_s: float, loop_lag_s: float) -> Iterable[Family]:
    """CPU time, memory and open files; what a system does not tell is left out. `started_s` is monotonic."""
    times = os.times()
    figures: list[tuple[str, str, float]] = [
        ("interchange_process_cpu_seconds_total", "counter", times.user + times.system),
        ("interchange_worker_uptime_seconds", "gauge", time.monotonic() - started_s),
        ("interchange_event_loop_lag_seconds", "gauge", loop_lag_s),
    ]
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE")
        figures.append(("interchange_process_resident_memory_bytes", "gauge", resident))
        figures.append(("interchange_process_open_files", "gauge", len(list(_DESCRIPTORS.iterdir()))))
    except (OSError, ValueError):
        pass  # not Linux
    for name, kind, value in figures:
        yield Family(name, kind, "", (), {(): value})
