"""When a process looks for cycles of objects that nobody needs."""

import gc
from typing import Final

GC_THRESHOLDS: Final = (20_000, 50, 100)
"""A request leaves hundreds of short-lived containers and no cycles; Python's own 700 looks in vain."""


def collect_rarely() -> None:
    """The first thing a process does: a quarter of the time in which modules are loaded would go into looking
    again and again at what stays anyhow."""
    gc.set_threshold(*GC_THRESHOLDS)


def leave_out_of_collections() -> None:
    """What was built so far lives as long as the process: no later collection looks at it.

    For processes that serve until they end. In one that opens and closes several servers, such as that of
    tests, nothing of the former ones would ever be freed.
    """
    gc.collect()
    gc.freeze()
    collect_rarely()
