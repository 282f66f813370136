"""Ids that sort by when they were made, so that rows arrive at the end of their index."""

import os
import time
from collections.abc import Callable

from application.ports.system import IdFactory

PREFIX_LENGTH_MAX = 11
_RANDOM_BITS = 64
_RANDOM_MASK = (1 << (_RANDOM_BITS - 1)) - 1
"""The top random bit starts at 0: counting up within a millisecond cannot spill into the time."""


class TimeOrderedIds(IdFactory):
    """`<prefix>_` and 28 hexadecimal digits: 48 bits of milliseconds, then 64 random ones.

    Rising within a process, also when the clock is set back. Each millisecond draws new random bits, so
    processes that were forked from one another part ways at once. Ids are unique, not secret.
    For use from one thread. Prefixes have at most 11 characters.
    """

    __slots__ = ("_entropy", "_last", "_last_ms", "_now_ms")

    def __init__(
        self, *, now_ms: Callable[[], int] | None = None, entropy: Callable[[], int] | None = None
    ) -> None:
        """`now_ms` is Unix time in milliseconds, `entropy` returns 64 random bits."""
        self._now_ms = now_ms or _system_ms
        self._entropy = entropy or _system_entropy
        self._last = 0
        self._last_ms = -1

    def next(self, prefix: str) -> str:
        now_ms = self._now_ms()
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            self._last = (now_ms << _RANDOM_BITS) | (self._entropy() & _RANDOM_MASK)
        else:
            self._last += 1
        return f"{prefix}_{self._last:028x}"


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


def _system_entropy() -> int:
    return int.from_bytes(os.urandom(8), "big")
