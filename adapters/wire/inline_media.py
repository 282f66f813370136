"""How much of a body is pictures, sound and documents written in base64, in any dialect.

Found by leaping from marker to marker: a body of megabytes is not read byte by byte.
"""

import re
from typing import Final, NamedTuple

LOOKED_INTO_FROM_BYTES: Final = 8 * 1024
"""Smaller bodies are estimated as text throughout; the difference is a few hundred tokens."""
RUN_BYTES_MIN: Final = 1024
_DATA_URL: Final = b";base64,"
_DATA_FIELD: Final = re.compile(rb'"(?:data|file_data|bytes)"\s*:\s*"')
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\-_]{64}")


class InlineMedia(NamedTuple):
    """`size_bytes` of the body are `parts` pieces of base64."""

    size_bytes: int = 0
    parts: int = 0


def inline_media(body: bytes) -> InlineMedia:
    """The base64 in a JSON body: data URLs, and texts of `data` fields that look like it."""
    if len(body) < LOOKED_INTO_FROM_BYTES:
        return _NONE
    size_bytes = parts = 0
    for run_bytes in (*_after_data_urls(body), *_in_data_fields(body)):
        if run_bytes >= RUN_BYTES_MIN:
            size_bytes += run_bytes
            parts += 1
    return InlineMedia(size_bytes, parts) if parts else _NONE


_NONE: Final = InlineMedia()


def _after_data_urls(body: bytes) -> list[int]:
    runs: list[int] = []
    at = body.find(_DATA_URL)
    while at >= 0:
        start = at + len(_DATA_URL)
        end = body.find(b'"', start)
        if end < 0:
            break
        if _BASE64.match(body, start):
            runs.append(end - start)
        at = body.find(_DATA_URL, end)
    return runs


def _in_data_fields(body: bytes) -> list[int]:
    runs: list[int] = []
    found = _DATA_FIELD.search(body)
    while found is not None:
        start = found.end()
        end = body.find(b'"', start)
        if end < 0:
            break
        # A data URL in such a field does not begin with 64 letters of base64: its colon comes first.
        if _BASE64.match(body, start):
            runs.append(end - start)
        found = _DATA_FIELD.search(body, end)
    return runs
