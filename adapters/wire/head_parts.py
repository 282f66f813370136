"""What the readers of every dialect's head share: needs of content parts, and errors with a path."""

import re
from functools import cache
from typing import Final

import msgspec
from msgspec import Raw, Struct

from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability

BRACKET_ARRAY: Final = 0x5B
_JSON_NULL: Final = Raw(b"null")


class _Part(Struct):
    type: str
    content: Raw = _JSON_NULL
    """Of an Anthropic tool result, which may hold parts of its own."""


_PARTS = msgspec.json.Decoder(list[_Part])
_PART_NEEDS: Final[dict[str, int]] = {
    "image_url": int(Capability.VISION),
    "image": int(Capability.VISION),
    "input_image": int(Capability.VISION),
    "input_audio": int(Capability.AUDIO_IN),
}
capabilities: Final = cache(Capability)
"""A set of capabilities from its number; an operation on enum members costs more than a whole decode."""


def part_needs(content: Raw) -> int:
    """The capabilities that an array of content parts shows, as a number.

    Raises msgspec.ValidationError for what is no such array.
    """
    needs = 0
    for part in _PARTS.decode(content):
        needs |= _PART_NEEDS.get(part.type, 0)
        if memoryview(part.content)[0] == BRACKET_ARRAY:
            needs |= part_needs(part.content)
    return needs


_AT_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]*)`")


def invalid(error: msgspec.ValidationError, prefix: str = "") -> InvalidRequest:
    """What msgspec found, as the path of the field and a sentence."""
    text = str(error)
    at = _AT_PATH.search(text)
    path = at.group(1) if at else ""
    what = text[: at.start()] if at else text
    if missing := _MISSING.search(what):
        path = f"{path}.{missing.group(1)}" if path else missing.group(1)
        what = "is required"
    else:
        what = what[:1].lower() + what[1:].replace("`", "")
    if prefix:
        path = prefix + (path if path.startswith("[") else f".{path}" if path else "")
    if not path:
        return InvalidRequest(f"the body: {what}", param="body")
    return InvalidRequest(f"{path}: {what}", param=path)
