"""Putting a cost into the frames of a stream; every byte of the other frames stays."""

from collections.abc import Callable
from typing import Final

from adapters.wire.sse import SseSplitter

USAGE: Final = b'"usage"'
COST: Final = b'"cost"'
Price = Callable[[bytes, bool], bytes | None]
"""(data of a frame, whether only a cost that is there already counts) -> the data with its new cost; None:
there is no usage in it, or no cost."""


def with_cost_in_frames(raw: bytes, price: Price) -> bytes:
    """The frames with a new cost in the last of them that has usage, and in place of any earlier cost.

    A stream that reports usage again and again may have been given a cost each time, and none may be left
    that is not true any more.
    """
    last = raw.rfind(USAGE)
    if last < 0:
        return raw
    # What comes before the last usage is only looked at where it has a cost, too, or other line ends.
    start = 0 if b"\r" in raw else max(raw.rfind(b"\n\n", 0, last) + 2, 0)
    if start >= 2 and raw.find(COST, 0, start) < 0:
        tail = raw[start:]
        priced = _with_cost(tail, price)
        if priced is not tail:
            return raw[:start] + priced
    return _with_cost(raw, price)


def _with_cost(raw: bytes, price: Price) -> bytes:
    pieces: list[bytes] = []
    end, found = len(raw), False
    for frame in reversed(SseSplitter().feed(raw)):
        data = frame.data
        if data is None or USAGE not in data or (found and COST not in data):
            continue
        told = price(data, found)
        if told is None:
            continue
        # Looked up by its bytes from the end, because empty frames and half of one are in no list.
        at = raw.rfind(frame.raw, 0, end)
        head = b"" if frame.event is None else b"event: " + frame.event.encode() + b"\n"
        pieces += (raw[at + len(frame.raw) : end], head + b"data: " + told + b"\n\n")
        end, found = at, True
    return b"".join((raw[:end], *reversed(pieces))) if found else raw
