"""How far a body goes that a later turn of the same conversation begins with, to the byte.

A conversation grows at the end of its messages: what stands before is sent again as it was, and the provider
has counted it. Marks for caching move from turn to turn and are no text; they are left out on both sides.
"""

import re
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.head_parts import BRACKET_ARRAY
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    Opening,
)

BODY_BYTES_MIN: Final = 2 * 1024
"""Shorter bodies cost little even at a token for each byte."""
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of longer ones nothing is remembered: looking at them would take milliseconds."""
_NULL: Final = Raw(b"null")
_MARK_TOKENS_MAX: Final = 64
"""Allowed for each mark that is left out, where somebody's own data looks like one."""
_MARK: Final = re.compile(
    rb',\s{0,8}"cache_control"\s{0,8}:\s{0,8}\{\s{0,8}"type"\s{0,8}:\s{0,8}"ephemeral"\s{0,8}'
    rb'(?:,\s{0,8}"ttl"\s{0,8}:\s{0,8}"(?:5m|1h)"\s{0,8})?\}'
)
_MARK_NAME: Final = b'"cache_control"'


class _Body(Struct):
    messages: Raw = _NULL
    input: Raw = _NULL
    contents: Raw = _NULL


_BODY: Final = msgspec.json.Decoder(_Body)
_LIST: Final = msgspec.json.Decoder(list[Raw])
_DIALECTS: Final = frozenset({ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES})


def opening_of(dialect: str, body: bytes) -> Opening | None:
    """The body up to the end of its last message; None where that says nothing about later turns."""
    if dialect not in _DIALECTS or not BODY_BYTES_MIN <= len(body) <= BODY_BYTES_MAX:
        return None
    plain, _ = _unmarked(body)
    try:
        read = _BODY.decode(plain)
        turns = next((raw for raw in (read.messages, read.input, read.contents) if raw is not _NULL), _NULL)
        if memoryview(turns)[0] != BRACKET_ARRAY or not (items := _LIST.decode(turns)):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    last = bytes(items[-1])
    at = plain.rfind(last)
    if at < 0:
        return None
    size = at + len(last)
    return Opening(size, _digest(plain, size))


def rest_after(opening: Opening, body: bytes) -> int | None:
    """How many bytes a body has beyond an earlier one's opening; None when it begins otherwise."""
    if not opening.size <= len(body) <= BODY_BYTES_MAX:
        return None
    plain, marks = _unmarked(body)
    if len(plain) < opening.size or _digest(plain, opening.size) != opening.digest:
        return None
    return len(plain) - opening.size + marks * _MARK_TOKENS_MAX


def _digest(body: bytes, size: int) -> bytes:
    return blake2b(memoryview(body)[:size], digest_size=16).digest()


def _unmarked(body: bytes) -> tuple[bytes, int]:
    """The body without its marks for caching, and how many there were. In a text their quotes would be
    escaped, so these are names of the body itself."""
    return _MARK.subn(b"", body) if _MARK_NAME in body else (body, 0)
