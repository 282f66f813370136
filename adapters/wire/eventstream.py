"""AWS event streams (`application/vnd.amazon.eventstream`) without I/O: bytes in, checked messages out.

A message is a prelude (total and headers length, each 4 bytes, big-endian), the prelude's CRC-32, headers,
payload, and the CRC-32 of everything before it. A header is a name (length byte + UTF-8), a type byte and
a value. Source: the event stream encoding of Smithy and of Amazon Transcribe's developer guide.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from adapters.wire.framing import Framer
from adapters.wire.sse import FRAME_BYTES_MAX, Frame

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
ERROR_EVENT: Final = "error"
"""The event of a message that says `:message-type: error`, which no model of the service describes."""

_PRELUDE_BYTES: Final = 12
_CRC_BYTES: Final = 4
_HEADER_BYTES_MAX: Final = 128 * 1024
_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_LENGTH: Final = struct.Struct(">H")
_STRING: Final = 7
_BYTES: Final = 6
_FIXED_BYTES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""By type: true, false, byte, short, integer, long, timestamp, UUID."""


class MalformedMessage(ValueError):
    """Bytes that are no message; the text says why and holds none of them."""


class Message(NamedTuple):
    """One message. `headers` holds those with text values; the others say nothing to us."""

    headers: dict[str, str]
    payload: bytes


def encoded(headers: dict[str, str], payload: bytes) -> bytes:
    """The message with text headers; names up to 255 bytes, values up to 65,535."""
    block = bytearray()
    for name, value in headers.items():
        raw_name, raw_value = name.encode(), value.encode()
        block += bytes((len(raw_name),)) + raw_name + bytes((_STRING,)) + _LENGTH.pack(len(raw_value))
        block += raw_value
    total = _PRELUDE_BYTES + len(block) + len(payload) + _CRC_BYTES
    lengths = struct.pack(">II", total, len(block))
    whole = lengths + _CRC.pack(crc32(lengths)) + bytes(block) + payload
    return whole + _CRC.pack(crc32(whole))


def decoded(raw: bytes) -> Message:
    """A whole message. Raises MalformedMessage when a length, a checksum or a header is wrong."""
    total, headers_bytes = _lengths(raw)
    if total != len(raw):
        raise MalformedMessage("the message has another length than it says")
    if crc32(raw[:-_CRC_BYTES]) != _CRC.unpack_from(raw, total - _CRC_BYTES)[0]:
        raise MalformedMessage("the message's checksum does not match")
    start = _PRELUDE_BYTES + headers_bytes
    try:
        headers = dict(_headers(raw[_PRELUDE_BYTES:start]))
    except (struct.error, IndexError, UnicodeDecodeError):
        raise MalformedMessage("the message's headers cannot be read") from None
    return Message(headers, raw[start:-_CRC_BYTES])


def _lengths(raw: bytes) -> tuple[int, int]:
    """(total, headers) of the prelude, checked before anybody waits for that many bytes."""
    total, headers_bytes, checksum = _PRELUDE.unpack_from(raw)
    if crc32(raw[: _PRELUDE_BYTES - _CRC_BYTES]) != checksum:
        raise MalformedMessage("the checksum of a message's lengths does not match")
    if headers_bytes > _HEADER_BYTES_MAX or total < _PRELUDE_BYTES + headers_bytes + _CRC_BYTES:
        raise MalformedMessage("the lengths of a message contradict each other")
    if total > FRAME_BYTES_MAX:
        raise MalformedMessage("a stream frame is larger than 16 MiB")
    return total, headers_bytes


def _headers(block: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(block):
        name_end = at + 1 + block[at]
        name, kind = block[at + 1 : name_end].decode(), block[name_end]
        at = name_end + 1
        if kind in (_STRING, _BYTES):
            size = _LENGTH.unpack_from(block, at)[0]
            at += 2
            if kind == _STRING:
                yield name, block[at : at + size].decode()
        else:
            size = _FIXED_BYTES.get(kind, -1)
            if size < 0:
                raise IndexError(kind)
        at += size
        if at > len(block):
            raise IndexError(at)


class EventStreamFramer(Framer):
    """Messages as frames: the event is `:event-type`, or `:exception-type` of an exception.

    An error without a model becomes the event `error` with `{"code", "message"}` as data. Holds at most one
    unfinished message, and no more than 16 MiB of it.
    """

    __slots__ = ("_broken", "_pending")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._broken: str | None = None

    @property
    def broken(self) -> str | None:
        return self._broken

    def feed(self, data: bytes) -> list[Frame]:
        if self._broken is not None:
            return []
        self._pending += data
        frames: list[Frame] = []
        start = 0
        try:
            while (end := self._end_of(start)) is not None:
                frames.append(_frame(bytes(self._pending[start:end])))
                start = end
        except MalformedMessage as error:
            self._broken = str(error)
            self._pending.clear()
            return frames
        del self._pending[:start]
        return frames

    def end(self) -> Frame | None:
        """None: half a message means nothing."""
        self._pending.clear()
        return None

    def _end_of(self, start: int) -> int | None:
        if len(self._pending) - start < _PRELUDE_BYTES:
            return None
        end = start + _lengths(bytes(self._pending[start : start + _PRELUDE_BYTES]))[0]
        return end if len(self._pending) >= end else None


def _frame(raw: bytes) -> Frame:
    headers, payload = decoded(raw)
    match headers.get(":message-type", "event"):
        case "exception":
            return Frame(raw, headers.get(":exception-type", "unknownException"), payload)
        case "error":
            said = {"code": headers.get(":error-code", ""), "message": headers.get(":error-message", "")}
            return Frame(raw, ERROR_EVENT, msgspec.json.encode(said))
    return Frame(raw, headers.get(":event-type"), payload)
