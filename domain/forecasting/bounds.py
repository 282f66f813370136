"""Bounds of errors from errors of the past: split conformal prediction that adapts.

The bound that a share of further errors keeps is the finite-sample quantile of the past ones (Vovk et al.,
"Algorithmic Learning in a Random World", 2005). That holds while the future errs like the past. Where the
last errors broke their bounds more often than they should, the share that is asked for is raised step by step
until they keep them (Gibbs and Candès, "Adaptive Conformal Inference Under Distribution Shift", 2021); it is
never lowered below what was asked.
"""

from bisect import insort
from collections.abc import Sequence
from math import ceil
from typing import Final, NamedTuple

ERRORS_MIN: Final = 8
"""Fewer errors than these say nothing of further ones."""
STEP: Final = 0.02
SHARE_MAX: Final = 0.999
BEYOND: Final = 1.5
"""Where more is asked than so many errors can say: their greatest, times this."""


class Bounds(NamedTuple):
    """What a share of errors keeps; `kept` of `tried` past errors did, each with what was known before it."""

    bound: float | None
    kept: int
    tried: int


def conformal(ordered: Sequence[float], share: float, per_error: float = 1.0) -> float | None:
    """The smallest of errors in ascending order that `share` of further ones keep: the ceil((n+1)*share)-th
    of n. Where they depend on each other, `per_error` of them count as one: n is less. None: too few."""
    count = len(ordered) / per_error
    level = ceil((count + 1) * share) / count if count else 2.0
    return ordered[ceil(level * len(ordered)) - 1] if level <= 1 else None


def bounds(errors: Sequence[float], share: float, delay: int = 1, per_error: float = 1.0) -> Bounds:
    """The bound that `share` of further errors keeps. `errors` are in the order of time; each is known
    `delay` places later, and `per_error` of them count as one. None: there are too few."""
    known: list[float] = []
    waiting: list[tuple[float, float | None]] = []
    asked = share
    kept = tried = 0
    for error in errors:
        if len(waiting) == delay:
            asked = _learned(known, waiting.pop(0), asked, share)
        bound = _bound(known, asked, per_error)
        if bound is not None:
            tried += 1
            kept += error <= bound
        waiting.append((error, bound))
    for late in waiting:
        asked = _learned(known, late, asked, share)
    return Bounds(_bound(known, asked, per_error), kept, tried)


def _learned(known: list[float], late: tuple[float, float | None], asked: float, share: float) -> float:
    error, bound = late
    insort(known, error)
    if bound is None:
        return asked
    moved = asked + STEP * (share if error > bound else share - 1)
    return max(share, min(SHARE_MAX, moved))


def _bound(known: Sequence[float], asked: float, per_error: float) -> float | None:
    if len(known) < ERRORS_MIN:
        return None
    found = conformal(known, asked, per_error)
    return BEYOND * known[-1] if found is None else found
