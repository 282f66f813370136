"""W3C Trace Context (https://www.w3.org/TR/trace-context/, level 1 and the level 2 draft): what headers say
of the trace a request belongs to. Strict when reading; what cannot be read counts as not sent.
"""

import re
from typing import Final, NamedTuple

SAMPLED: Final = 0x01
"""The flag that says: the caller records this trace."""
STATE_MEMBERS_MAX: Final = 32
STATE_CHARS_MAX: Final = 512
"""What must be passed on at least (3.3.1.5); longer states are shortened by whole members."""

_LENGTH: Final = 55
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_FLAGS: Final = {"00": 0, "01": 1, "02": 2, "03": 3}
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_KEY: Final = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
)
_VALUE: Final = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_LONG_MEMBER_CHARS: Final = 128
"""Members over this are given up first (3.3.1.5)."""


class TraceParent(NamedTuple):
    """Which trace, and which span of it asked. `flags` holds the bits that level 1 and 2 know."""

    trace_id: str
    """32 hex digits in lower case."""
    span_id: str
    """16 hex digits in lower case."""
    flags: int

    @property
    def sampled(self) -> bool:
        """Whether who asked records the trace."""
        return bool(self.flags & SAMPLED)


def parse_traceparent(text: str) -> TraceParent | None:
    """A `traceparent` header; None for what is none (3.2.2, 4.3).

    Of versions after 00 the known beginning is read, `ff` is none. Only the flags `sampled` and `random` are
    kept: others have no meaning yet.
    """
    found = _PARENT.match(text)
    if found is None:
        return None
    version, trace_id, span_id, flags = found.groups()
    if version == "ff" or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    if len(text) > _LENGTH and (version == "00" or text[_LENGTH] != "-"):
        return None
    known = _FLAGS.get(flags)
    return TraceParent(trace_id, span_id, int(flags, 16) & 0x03 if known is None else known)


def traceparent(trace_id: str, span_id: str, flags: int) -> str:
    """As a header, in version 00."""
    return f"00-{trace_id}-{span_id}-{flags:02x}"


def parse_tracestate(text: str) -> str:
    """A `tracestate` header, several joined by commas, as it may be passed on; empty: none, or one that
    breaks the rules, which is dropped as a whole (3.3.1, 4.3)."""
    members: list[str] = []
    keys: set[str] = set()
    for part in text.split(","):
        member = part.strip(" \t")
        if not member:
            continue
        key, equals, value = member.partition("=")
        if not equals or not _KEY.fullmatch(key) or not _VALUE.fullmatch(value) or key in keys:
            return ""
        keys.add(key)
        members.append(member)
        if len(members) > STATE_MEMBERS_MAX:
            return ""
    return _shortened(members)


def _shortened(members: list[str]) -> str:
    """Without long members first, then without the last ones."""
    state = ",".join(members)
    if len(state) > STATE_CHARS_MAX:
        members = [member for member in members if len(member) <= _LONG_MEMBER_CHARS]
        state = ",".join(members)
    while len(state) > STATE_CHARS_MAX:
        members.pop()
        state = ",".join(members)
    return state
