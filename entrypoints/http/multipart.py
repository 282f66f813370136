"""Forms with files (RFC 7578), read as they arrive: small fields are kept, files pass through in pieces.

Sans I/O: `feed` takes bytes and returns what became known.
"""

import re
from typing import Final, NamedTuple

from domain.errors import InvalidRequest

HEADER_BYTES_MAX: Final = 16 * 1024
FIELD_BYTES_MAX: Final = 64 * 1024
PARTS_MAX: Final = 64
_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*(name|filename\*?)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.IGNORECASE)


class Field(NamedTuple):
    """A whole field that is not a file."""

    name: str
    value: str


class FileBegan(NamedTuple):
    """A part with a file name begins; its bytes follow."""

    name: str
    filename: str


class FileBytes(NamedTuple):
    """More bytes of the file."""

    data: bytes


class FileEnded(NamedTuple):
    """The file is whole."""


Event = Field | FileBegan | FileBytes | FileEnded


def boundary_of(content_type: str) -> bytes:
    """The boundary in a Content-Type. Raises InvalidRequest for anything but a form with one."""
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or match is None:
        raise InvalidRequest("send the file as multipart/form-data", param="content-type")
    return (match[1] or match[2]).encode("latin-1", "replace")


class MultipartReader:
    """Reads one form. Whatever is wrong with it is an InvalidRequest."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # A delimiter begins with the line end before it, which the first one lacks.
        self._buffer = b"\r\n"
        self._state = "preamble"
        self._name = ""
        self._is_file = False
        self._value = bytearray()
        self._parts = 0

    @property
    def complete(self) -> bool:
        """Whether the closing delimiter has come."""
        return self._state == "end"

    def feed(self, data: bytes) -> list[Event]:
        """What is known after these bytes. Raises InvalidRequest."""
        self._buffer += data
        events: list[Event] = []
        while self._step(events):
            continue
        return events

    def _step(self, events: list[Event]) -> bool:
        """One step onwards; False: more bytes are needed."""
        match self._state:
            case "preamble" | "body":
                return self._until_delimiter(events)
            case "delimiter":
                return self._behind_delimiter()
            case "headers":
                return self._headers(events)
            case _:
                self._buffer = b""
                return False

    def _until_delimiter(self, events: list[Event]) -> bool:
        at = self._buffer.find(self._delimiter)
        # Without the delimiter, its beginning may still stand at the end.
        ready = at if at >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        data, self._buffer = self._buffer[:ready], self._buffer[ready:]
        if self._state == "body" and data:
            self._take(data, events)
        if at < 0:
            return False
        self._buffer = self._buffer[len(self._delimiter) :]
        if self._state == "body":
            self._end_part(events)
        self._state = "delimiter"
        return True

    def _behind_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._state = "end"
            return True
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            if len(line) > HEADER_BYTES_MAX:
                raise _malformed("a delimiter is not followed by a line end")
            return False
        if line.strip():
            raise _malformed("a delimiter is not followed by a line end")
        # The line end is given back, so that a part without headers is seen as one.
        self._buffer = b"\r\n" + rest
        self._state = "headers"
        return True

    def _headers(self, events: list[Event]) -> bool:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or len(head) > HEADER_BYTES_MAX:
            if len(self._buffer) > HEADER_BYTES_MAX:
                raise _malformed("the headers of a part are too long")
            return False
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise _malformed(f"more than {PARTS_MAX} parts")
        self._buffer = rest
        # A delimiter needs the line end before it, which an empty body shares with the headers.
        if self._buffer.startswith(self._delimiter[2:]):
            self._buffer = b"\r\n" + self._buffer
        name, filename = _disposition(head)
        self._name, self._is_file = name, filename is not None
        self._value.clear()
        if filename is not None:
            events.append(FileBegan(name, filename))
        self._state = "body"
        return True

    def _take(self, data: bytes, events: list[Event]) -> None:
        if self._is_file:
            events.append(FileBytes(data))
            return
        self._value += data
        if len(self._value) > FIELD_BYTES_MAX:
            raise InvalidRequest(
                f"the field {self._name[:80]!r} is over {FIELD_BYTES_MAX} bytes", param=self._name[:80]
            )

    def _end_part(self, events: list[Event]) -> None:
        if self._is_file:
            events.append(FileEnded())
        else:
            events.append(Field(self._name, self._value.decode("utf-8", "replace")))


def _disposition(head: bytes) -> tuple[str, str | None]:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        title, _, value = line.partition(":")
        if title.strip().lower() != "content-disposition":
            continue
        found = {
            match[1].lower(): (match[2] if match[2] is not None else match[3]).replace('\\"', '"')
            for match in _PARAMETER.finditer(value)
        }
        if "name" in found:
            return found["name"], found.get("filename")
    raise _malformed("a part has no name")


def _malformed(what: str) -> InvalidRequest:
    return InvalidRequest(f"the form cannot be read: {what}", param="body")
