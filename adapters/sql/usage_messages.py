"""What a server and the process that writes its usage rows say to each other.

A message is four bytes of length (little-endian) and a MessagePack array. The server asks, the writer answers
each question once, in order; that it is up, it says first. Both are the same version: one starts the other.
Where files were exchanged meanwhile, `FORM` tells.
"""

import asyncio
import struct
from collections.abc import Mapping
from typing import Final

import msgspec

from domain.analytics.event import AttemptEvent, RequestEvent
from domain.budgets.alerts import Alert
from domain.sla.measure import Scopes

LENGTH: Final = struct.Struct("<I")
MESSAGE_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Far above a full group of the longest events; more can only be a mistake."""
ROWS_PER_PART: Final = 100
"""Events are put into bytes this many at a time, so that requests get their turn in between."""

UP: Final = 0
"""The number of the first `Written`, which answers the opening."""
FORM: Final = (*RequestEvent._fields, *AttemptEvent._fields)
"""What an event is made of; events carry no names."""


class Opening(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The first message: where rows go. `connections_max` is of PostgreSQL."""

    database_url: str
    connections_max: int
    always: tuple[str, ...]
    """Patterns of events that are written whoever reads them."""
    log_form: str
    log_level: str
    form: tuple[str, ...] = FORM


class Wanted(msgspec.Struct, array_like=True, frozen=True):
    """What followers of rows have to know, until it is said anew.

    `patterns` are those of events that somebody reads, by tenant; None: nobody could be asked yet.
    `scopes` are what objectives measure apart.
    """

    patterns: Mapping[str, frozenset[str]] | None
    scopes: Scopes


class Rows(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Events to be written in one transaction, in parts that are each an array of them."""

    number: int
    parts: list[msgspec.Raw]
    wanted: Wanted | None = None
    """None: as before."""


class Written(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """All rows of the question are committed."""

    number: int
    alerts: list[Alert]


class NotWritten(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """None is. `unavailable`: the database could not take them now; else these rows are not understood."""

    number: int
    unavailable: bool
    message: str
    retry_after_s: float | None


Question = Opening | Rows
Answer = Written | NotWritten

_encode: Final = msgspec.msgpack.Encoder().encode
encode_events: Final = _encode
"""A part of `Rows`. Raises UnicodeEncodeError, OverflowError, TypeError, ValueError for what has no form."""
decode_events: Final = msgspec.msgpack.Decoder(list[RequestEvent]).decode
"""Raises msgspec.DecodeError."""
decode_question: Final = msgspec.msgpack.Decoder(Question).decode
decode_answer: Final = msgspec.msgpack.Decoder(Answer).decode


def framed(message: Question | Answer) -> bytes:
    """One message as it is sent."""
    payload = _encode(message)
    return LENGTH.pack(len(payload)) + payload


async def next_message(reader: asyncio.StreamReader) -> bytes:
    """The payload of the next one. Raises EOFError when the other side is gone, ValueError for nonsense."""
    (size_bytes,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if size_bytes > MESSAGE_SIZE_BYTES_MAX:
        raise ValueError(f"a message of {size_bytes} bytes")
    return await reader.readexactly(size_bytes)
