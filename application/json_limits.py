"""How deep and how large JSON from callers may be, found out before anything is built of it.

Whoever walks a body afterwards may recurse, and every value of it becomes an object many times its size.
"""

from itertools import accumulate
from typing import Final

from domain.errors import InvalidRequest, RequestTooLarge

DEPTH_MAX: Final = 128
ELEMENTS_MAX: Final = 1_000_000
"""Arrays, objects and commas together. The largest honest bodies are inputs of embeddings as tokens."""
_USUAL_DEPTH: Final = 16
STRINGS_MAX: Final = 4 * ELEMENTS_MAX
_STRUCTURE: Final = b'"[]{},'
_THE_REST: Final = bytes(set(range(256)) - set(_STRUCTURE))
_NOT_ESCAPED: Final = bytes(set(_THE_REST) - set(b"\\/bfnrtu"))
"""What can be left out before escapes are: a backslash must keep the character it stands before."""
_SMALL_BYTES: Final = 16 * 1024
_NOT_OPENING: Final = bytes(set(range(256)) - set(b"[{"))
_STEPS: Final = bytes(2 if byte in b"[{" else 0 if byte in b"]}" else 1 for byte in range(256))
"""Each byte as the step it makes downwards, plus one."""


def check_json_limits(body: bytes) -> None:
    """Takes less than a microsecond per KiB. What is no JSON at all may pass: its reader says so.

    Raises:
        InvalidRequest: nested deeper than DEPTH_MAX.
        RequestTooLarge: more than ELEMENTS_MAX values, or far too many quotes for as many.
    """
    # Brackets in strings count here too: what has few of them in all is never deep.
    if len(body) <= ELEMENTS_MAX and openings_of(body) <= DEPTH_MAX:
        return
    if b"\\" in body:
        body = body.translate(None, _NOT_ESCAPED).replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = body.translate(None, _THE_REST)
    if structure.count(b'"') > STRINGS_MAX:
        raise _too_many()
    # Strings may hold any of these, to look like more or less than there is.
    structure = b"".join(structure.split(b'"')[::2])
    brackets = structure.replace(b",", b"")
    if len(structure) - len(brackets) // 2 > ELEMENTS_MAX:
        raise _too_many()
    if _deeper_than(brackets, DEPTH_MAX):
        raise InvalidRequest(f"the body is nested deeper than {DEPTH_MAX} levels", param="body")


def openings_of(body: bytes) -> int:
    """How many brackets open in it, those in strings included: no value of it is nested deeper."""
    if len(body) <= _SMALL_BYTES:
        # Leaps from bracket to bracket, which small bodies have few of.
        return len(body) - len(body.replace(b"{", b"").replace(b"[", b""))
    return len(body.translate(None, _NOT_OPENING))


def _deeper_than(brackets: bytes, levels: int) -> bool:
    left = brackets
    for _ in range(_USUAL_DEPTH):
        if not left:
            return False
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    if len(left) <= levels - _USUAL_DEPTH:
        return False
    depth = accumulate(brackets.translate(_STEPS), lambda now, step: now + step - 1, initial=0)
    return max(depth) > levels


def _too_many() -> RequestTooLarge:
    return RequestTooLarge(f"the body holds more than {ELEMENTS_MAX} values", param="body")
