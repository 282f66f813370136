"""JSON inside a text, such as the arguments of a tool call, read as it comes: each string and long number is
a text of its own, and what goes on is JSON again.

How the pieces were cut never changes what comes out. Escapes are read before anything is looked for, so that
no spelling hides a value. What turns out to be no JSON goes on as a plain text.
"""

import json
import re
from typing import Final

from application.ports.text_fields import RunningText, TextWork
from domain.privacy.policy import Where

DEPTH_MAX: Final = 128
"""Deeper than any reader takes; from there on it counts as a plain text."""
NUMBER_DIGITS_MIN: Final = 7
"""Shorter numbers say nothing about anybody."""
NUMBER_CHARS_MAX: Final = 64
_NAME_CHARS_MAX: Final = 64
_RUN: Final = re.compile(r'[^"\\]+')
_OUTSIDE: Final = frozenset(" \t\r\n{}[]:,truefalsn")
_NUMBER: Final = frozenset("0123456789+-.eE")
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def escaped(text: str) -> str:
    """The text as it stands between the quotes of a JSON string."""
    inside = json.dumps(text, ensure_ascii=False)[1:-1]
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", inside)


def whole_json(text: str, work: TextWork, where: Where, path: str) -> str:
    """The text with `work` done inside its JSON, or to all of it where it is none; the very same object where
    nothing changes."""
    running = RunningJson(work, where, path)
    out = running.feed(text) + running.end()
    return out if running.changed else text


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or array."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class RunningJson(RunningText):
    """`changed` says whether anything but the spelling of escapes differs so far."""

    def __init__(self, work: TextWork, where: Where, path: str) -> None:
        self.changed = False
        self._work = work
        self._where = where
        self._path = path
        self._plain: RunningText | None = None
        self._rest = ""
        self._number = ""
        self._string: RunningText | None = None
        self._is_key = False
        self._put_in: list[str] = []
        self._came_out: list[str] = []
        self._name = ""
        self._stack: list[tuple[bool, str]] = []
        self._key_next = False

    def feed(self, piece: str) -> str:
        if self._plain is not None:
            return self._as_plain(piece)
        text, self._rest = self._rest + piece, ""
        out: list[str] = []
        at, size = 0, len(text)
        while at < size:
            if self._string is not None:
                at = self._inside(self._string, text, at, out)
                continue
            char = text[at]
            if char in _NUMBER and (self._number or char in "-0123456789"):
                self._number += char
                at += 1
                if len(self._number) >= NUMBER_CHARS_MAX:
                    out.append(self._closed_number())
                continue
            if self._number:
                out.append(self._closed_number())
            if char == '"':
                self._open_string()
                out.append(char)
            elif char in _OUTSIDE and len(self._stack) < DEPTH_MAX:
                self._structure(char)
                out.append(char)
            else:
                self._plain = self._work.running(self._where, self._path)
                out.append(self._as_plain(text[at:]))
                break
            at += 1
        return "".join(out)

    def end(self) -> str:
        if self._plain is not None:
            tail = self._plain.end()
            self.changed = self.changed or "".join(self._put_in) != "".join(self._came_out) + tail
            return tail
        out = self._closed_number() if self._number else ""
        if self._string is not None:
            out += self._closed_string(self._string) + self._rest
        return out

    def _as_plain(self, piece: str) -> str:
        assert self._plain is not None
        self._put_in.append(piece)
        out = self._plain.feed(piece)
        self._came_out.append(out)
        return out

    def _structure(self, char: str) -> None:
        if char in "{[":
            self._stack.append((char == "{", self._name))
            self._key_next = char == "{"
        elif char in "}]":
            if self._stack:
                self._name = self._stack.pop()[1]
            self._key_next = False
        elif char == ",":
            in_object, name = self._stack[-1] if self._stack else (False, "")
            self._key_next = in_object
            if not in_object:
                self._name = name

    def _open_string(self) -> None:
        self._is_key, self._key_next = self._key_next, False
        if self._is_key:
            self._name = ""
            self._string = self._work.running(self._where, self._path)
        else:
            self._string = self._work.running(self._where, self._place(), self._before())

    def _place(self) -> str:
        return f"{self._path}.{self._name}" if self._name else self._path

    def _before(self) -> str:
        return f"{self._name}: " if self._name else ""

    def _inside(self, string: RunningText, text: str, at: int, out: list[str]) -> int:
        """Reads on in a string up to its end or the end of the text."""
        read: list[str] = []
        size = len(text)
        while at < size:
            run = _RUN.match(text, at)
            if run is not None:
                read.append(run[0])
                at = run.end()
                continue
            if text[at] == '"':
                out.append(self._fed(string, "".join(read)))
                out.append(self._closed_string(string))
                out.append('"')
                return at + 1
            char, length = _unescaped(text, at)
            if not length:
                self._rest = text[at:]
                break
            read.append(char)
            at += length
        out.append(self._fed(string, "".join(read)))
        return size

    def _fed(self, string: RunningText, text: str) -> str:
        if not text:
            return ""
        if self._is_key and len(self._name) < _NAME_CHARS_MAX:
            self._name = (self._name + text)[:_NAME_CHARS_MAX]
        self._put_in.append(text)
        out = string.feed(text)
        self._came_out.append(out)
        return escaped(out)

    def _closed_string(self, string: RunningText) -> str:
        out = string.end()
        self._string = None
        self.changed = self.changed or "".join(self._put_in) != "".join(self._came_out) + out
        self._put_in.clear()
        self._came_out.clear()
        return escaped(out)

    def _closed_number(self) -> str:
        number, self._number = self._number, ""
        if len(number) < NUMBER_DIGITS_MIN:
            return number
        said = self._work.whole(number, self._where, self._place(), self._before())
        if said == number:
            return number
        self.changed = True
        return f'"{escaped(said)}"'


def _unescaped(text: str, at: int) -> tuple[str, int]:
    """The character that the escape at `at` means and its length; 0: more is needed to say."""
    if at + 1 >= len(text):
        return "", 0
    kind = text[at + 1]
    if kind != "u":
        return _SIMPLE.get(kind, text[at : at + 2]), 2
    code = _code(text, at)
    if code is None:
        return "", 0
    if code < 0:
        return text[at : at + 2], 2
    if 0xD800 <= code < 0xDC00:
        follows = text[at + 6 : at + 8]
        if not "\\u".startswith(follows[:2]) and follows != "\\u":
            return chr(code), 6
        low = _code(text, at + 6) if len(follows) == 2 else None
        if low is None:
            return "", 0
        if 0xDC00 <= low < 0xE000:
            return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), 12
    return chr(code), 6


def _code(text: str, at: int) -> int | None:
    """The number of an escape with four digits; None: it is not whole yet, -1: it is none."""
    digits = text[at + 2 : at + 6]
    try:
        code = int(digits, 16) if digits else 0
    except ValueError:
        return -1
    return code if len(digits) == 4 else None
