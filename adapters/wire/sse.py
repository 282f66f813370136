"""Server-sent events without I/O: bytes in as they arrive, whole frames out.

A frame is everything up to and including the blank line that ends it. Line ends may be LF, CRLF or CR.
The fast path is the framing every large provider uses (`data: …` and an empty line, LF only); anything
else takes the road through the event-stream grammar. How the bytes were cut never changes the frames.
"""

import re
from typing import Final, NamedTuple

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""A frame above this is taken for malformed: no provider sends one."""

_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r){2}")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"
_BOUNDARY_BYTES_MAX: Final = 4


_new: Final = tuple.__new__
"""A NamedTuple without its Python-level constructor: half the time, on the path of every chunk."""


class Frame(NamedTuple):
    """One event. `raw` are its bytes with the blank line; `data` is None for a comment or an empty frame."""

    raw: bytes
    event: str | None
    data: bytes | None


class SseSplitter:
    """Cuts a byte stream into frames. Holds at most one unfinished frame of `FRAME_BYTES_MAX` bytes.

    `overflowed` turns true when a frame exceeds the limit; nothing is returned from then on.
    """

    __slots__ = ("_pending", "_pending_bytes", "_tail", "overflowed")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._tail = b""
        self.overflowed = False

    @property
    def broken(self) -> str | None:
        """Why nothing more is read, in words; None while all is well."""
        return "a stream frame is larger than 16 MiB" if self.overflowed else None

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order."""
        if self.overflowed or not data:
            return []
        if self._pending:
            joint = self._tail + data
            if not _BLANK_LINE.search(joint):
                self._keep(data, joint)
                return []
            self._pending.append(data)
            data = b"".join(self._pending)
            self._pending.clear()
            self._pending_bytes = 0
        if b"\r" in data:
            return self._split_any(data)
        parts = data.split(b"\n\n")
        rest = parts.pop()
        if rest:
            self._keep(rest, rest)
        frames: list[Frame] = []
        for part in parts:
            if part[:6] == b"data: " and b"\n" not in part:
                frames.append(_new(Frame, (part + b"\n\n", None, part[6:])))
            elif part:
                frames.append(_parse(part + b"\n\n"))
        return self._within_limit(frames) if len(data) > FRAME_BYTES_MAX else frames

    def end(self) -> Frame | None:
        """The unfinished frame that the end of the connection leaves, given a blank line of its own."""
        rest = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        if self.overflowed or not rest.strip(b"\r\n"):
            return None
        return _parse(rest.rstrip(b"\r\n") + b"\n\n")

    def _keep(self, piece: bytes, joint: bytes) -> None:
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        self._tail = joint[-(_BOUNDARY_BYTES_MAX - 1) :]
        if self._pending_bytes > FRAME_BYTES_MAX:
            self._overflow()

    def _overflow(self) -> None:
        self.overflowed = True
        self._pending.clear()
        self._pending_bytes = 0

    def _split_any(self, data: bytes) -> list[Frame]:
        # A trailing CR may be half of a CRLF: what it ends is known with the next byte.
        limit = len(data) - 1 if data.endswith(b"\r") else len(data)
        frames: list[Frame] = []
        start = 0
        while found := _BLANK_LINE.search(data, start, limit):
            if found.start() > start:
                frames.append(_parse(data[start : found.end()]))
            start = found.end()
        rest = data[start:]
        if rest:
            self._keep(rest, rest)
        return self._within_limit(frames) if len(data) > FRAME_BYTES_MAX else frames

    def _within_limit(self, frames: list[Frame]) -> list[Frame]:
        for place, frame in enumerate(frames):
            if len(frame.raw) > FRAME_BYTES_MAX:
                self._overflow()
                return frames[:place]
        return frames


def _parse(raw: bytes) -> Frame:
    """Reads `event` and `data` of one frame by the event-stream grammar; other fields mean nothing here."""
    event: str | None = None
    data: list[bytes] = []
    for line in _LINE_END.split(raw.removeprefix(_BOM)):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ").decode("utf-8", "replace")
    return Frame(raw, event, b"\n".join(data) if data else None)
