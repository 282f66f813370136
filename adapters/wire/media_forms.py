"""Multipart forms (RFC 7578) that are forwarded: found in place, and changed without a second reading.

A form stays the bytes it came as. Parts are known by where they stand, so a file is never copied to be looked
at; only a changed model name makes new bytes, one copy of the whole.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from domain.errors import InvalidRequest

FORM: Final = "multipart/form-data"
PARTS_MAX: Final = 128
"""Sixteen pictures and their masks leave plenty of room for fields."""
HEADER_BYTES_MAX: Final = 8 * 1024
FIELD_BYTES_MAX: Final = 256 * 1024
"""Of a part without a file name; prompts are the longest of them."""
_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(
    rb';\s*(name|filename\*?)=(?:"((?:[^"\\\r\n]|\\[^\r\n])*)"|([^\s;"]*))', re.IGNORECASE
)
_TYPE: Final = re.compile(rb"(?:^|\r\n)content-type:[ \t]*([^\r\n]*)", re.IGNORECASE)
_DISPOSITION: Final = re.compile(rb"(?:^|\r\n)content-disposition:([^\r\n]*)", re.IGNORECASE)


class Part(NamedTuple):
    """One part; its content is `body[start:end]`. `filename` is None for a plain field."""

    name: str
    filename: str | None
    content_type: str
    start: int
    end: int


def is_form(content_type: str) -> bool:
    """Whether a Content-Type announces a form."""
    return content_type[: len(FORM)].lower() == FORM


def read_parts(body: bytes, content_type: str) -> list[Part]:
    """The parts in order. Raises InvalidRequest for what is no whole form, or has too many or long parts."""
    delimiter = b"\r\n--" + _boundary(content_type)
    at = 0 if body.startswith(delimiter[2:]) else body.find(delimiter) + 2
    if at == 1:
        raise _malformed("the boundary of the content-type does not stand in it")
    at += len(delimiter) - 2
    parts: list[Part] = []
    while not body.startswith(b"--", at):
        if len(parts) == PARTS_MAX:
            raise _malformed(f"more than {PARTS_MAX} parts")
        line_end = body.find(b"\r\n", at, at + 256)
        if line_end < 0 or body[at:line_end].strip(b" \t"):
            raise _malformed("a delimiter is not followed by a line end")
        head_end = body.find(b"\r\n\r\n", line_end, line_end + HEADER_BYTES_MAX)
        if head_end < 0:
            raise _malformed("the headers of a part are missing or too long")
        # The line end before a delimiter is part of it, and an empty content shares it with the headers.
        end = body.find(delimiter, head_end + 2)
        if end < 0:
            raise _malformed("it ends before its closing delimiter")
        start = min(head_end + 4, end)
        parts.append(_part(body[line_end + 2 : head_end], start, end))
        at = end + len(delimiter)
    return parts


def field(body: bytes, parts: Sequence[Part], name: str) -> str | None:
    """The value of a plain field; None without it. Raises InvalidRequest when it is there twice."""
    found = [part for part in parts if part.name == name]
    if not found:
        return None
    if len(found) > 1:
        raise InvalidRequest(f"the form has more than one {name!r}", param=name)
    part = found[0]
    try:
        return body[part.start : part.end].decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is not valid UTF-8", param=name) from None


def with_field(body: bytes, content_type: str, name: str, value: str) -> bytes:
    """The same form with another value of a field that it has once; every other byte stays."""
    part = next(part for part in read_parts(body, content_type) if part.name == name)
    view = memoryview(body)
    return b"".join((view[: part.start], value.encode(), view[part.end :]))


@lru_cache(maxsize=256)
def _boundary(content_type: str) -> bytes:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise InvalidRequest("the form's content-type names no boundary", param="content-type")
    return (match[1] or match[2]).encode("latin-1", "replace")


def _part(head: bytes, start: int, end: int) -> Part:
    disposition = _DISPOSITION.search(head)
    found = (
        {
            match[1].lower(): match[2] if match[2] is not None else match[3]
            for match in _PARAMETER.finditer(disposition[1])
        }
        if disposition
        else {}
    )
    if not found.get(b"name"):
        raise _malformed("a part has no name")
    name = found[b"name"].decode("utf-8", "replace").replace('\\"', '"')
    filename = found.get(b"filename", found.get(b"filename*"))
    if filename is None and end - start > FIELD_BYTES_MAX:
        raise InvalidRequest(f"{name[:80]!r} is over {FIELD_BYTES_MAX} bytes", param=name[:80])
    kind = _TYPE.search(head)
    return Part(
        name,
        None if filename is None else filename.decode("utf-8", "replace"),
        kind[1].decode("latin-1").strip() if kind else "",
        start,
        end,
    )


def _malformed(what: str) -> InvalidRequest:
    return InvalidRequest(f"the form cannot be read: {what}", param="body")
