"""Wide events as bytes of the journal and as rows of the database.

A record is four bytes of length, four of CRC-32 (both little-endian), then the event as a MessagePack
array. A segment's first record names the fields, so that a newer version still reads an older journal.
"""

import struct
import zlib
from collections.abc import Sequence
from math import isfinite
from typing import Any, Final, get_args, get_type_hints

import msgspec

from domain.analytics.event import AttemptEvent, RequestEvent

HEADER: Final = struct.Struct("<II")
RECORD_SIZE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A greater length can only be damage."""
INT_MAX: Final = 2**63 - 1

REQUEST_FIELDS: Final = RequestEvent._fields
ATTEMPT_FIELDS: Final = AttemptEvent._fields
_REQUEST_HINTS: Final = get_type_hints(RequestEvent)
_ATTEMPT_HINTS: Final = get_type_hints(AttemptEvent)

_BEFORE: Final = {"saved_nano_usd": 0}
"""Of journals that do not know these yet: nothing was cached then."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_event: Final = msgspec.msgpack.Decoder(RequestEvent).decode
_decode_any: Final = msgspec.msgpack.Decoder(list[Any]).decode


def framed(payload: bytes) -> bytes:
    """One record of a segment."""
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def framed_event(event: RequestEvent) -> bytes:
    """One event as a record. Text that is not Unicode and numbers out of range are made to fit."""
    try:
        payload = _encode(event)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
        payload = _encode(fitting(event))
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def framed_fields() -> bytes:
    """The first record of every segment."""
    return framed(_encode((REQUEST_FIELDS, ATTEMPT_FIELDS)))


class EventDecoder:
    """Reads the events of one segment, whichever version wrote it."""

    def __init__(self, fields_payload: bytes) -> None:
        """`fields_payload` is the first record. Raises ValueError when it is not one."""
        names = _decode_any(fields_payload)
        if len(names) != 2 or not all(isinstance(part, list) for part in names):
            raise ValueError("not a usage journal")
        self._request_fields: list[str] = names[0]
        self._attempt_fields: list[str] = names[1]
        self._current = (tuple(names[0]), tuple(names[1])) == (REQUEST_FIELDS, ATTEMPT_FIELDS)

    def event(self, payload: bytes) -> RequestEvent:
        """Fields the writer did not know get a neutral value. Raises ValueError for what is no event."""
        if self._current:
            try:
                return _decode_event(payload)
            except msgspec.ValidationError:
                pass  # a value of the wrong type: made to fit below
        values: dict[str, Any] = dict(zip(self._request_fields, _decode_any(payload), strict=False))
        attempts = [
            dict(zip(self._attempt_fields, attempt, strict=False))
            for attempt in values.pop("attempts", None) or ()
        ]
        return _request_from(values, attempts)


def fitting(event: RequestEvent) -> RequestEvent:
    """The same event with every value of the type and range that a row can hold."""
    return _request_from(event._asdict(), [attempt._asdict() for attempt in event.attempts])


def _request_from(values: dict[str, Any], attempts: Sequence[dict[str, Any]]) -> RequestEvent:
    made = tuple(
        AttemptEvent(*(_fit(attempt.get(name), hint) for name, hint in _ATTEMPT_HINTS.items()))
        for attempt in attempts
    )
    plain = {
        name: _fit(values.get(name, _BEFORE.get(name)), hint)
        for name, hint in _REQUEST_HINTS.items()
        if name != "attempts"
    }
    return RequestEvent(**plain, attempts=made)


def _fit(value: Any, hint: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    if value is None and type(None) in kinds:
        return None
    if str in kinds:
        # PostgreSQL has no NUL in text.
        return "" if value is None else str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if bool in kinds:
        return bool(value)
    if float in kinds:
        return float(value) if isinstance(value, (int, float)) and isfinite(value) else None
    if isinstance(value, (int, float)) and value == value:
        return int(max(-INT_MAX, min(INT_MAX, value)))
    return None if type(None) in kinds else 0
