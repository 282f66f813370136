"""What opens something: keys, tokens, passwords."""

import base64
import binascii
import re
from collections.abc import Iterator, Set
from typing import Final

from adapters.privacy import secret_forms as forms
from adapters.privacy.finder import TOKEN_CHARS_MAX
from adapters.privacy.reading import Reading
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind

_SECRET_CHARS: Final = re.compile(rf"[A-Za-z0-9_\-.~+/=]{{0,{forms.JWT_CHARS_MAX}}}+")
_IDENTIFIERS: Final = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+")
_TOKEN_VALUE_CHARS_MIN: Final = 12
_PLAIN_TOKEN_CHARS_MIN: Final = 16


class KeyFinder:
    """Finder of keys and tokens that say by their form what they are."""

    kinds: frozenset[PiiKind] = frozenset(
        {PiiKind.PROVIDER_KEY, PiiKind.INTERCHANGE_KEY, PiiKind.JWT, PiiKind.PRIVATE_KEY}
    )

    def may_hold(self, reading: Reading) -> bool:
        return reading.has_long_tokens() or forms.PEM_BEGIN in reading.text

    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:
        text = reading.text
        if PiiKind.PRIVATE_KEY in kinds and forms.PEM_BEGIN in text:
            yield from _private_keys(reading)
        if not reading.has_long_tokens():
            return
        if PiiKind.JWT in kinds and "eyJ" in text:
            for match in forms.JWT.finditer(text, reading.start):
                if _is_jwt(match.group()):
                    yield Finding(PiiKind.JWT, *match.span(), 0.97)
        if PiiKind.PROVIDER_KEY in kinds and any(prefix in text for prefix in _SHORTEST):
            for match in forms.PROVIDER_KEYS.finditer(text, reading.start):
                if _is_random(match.group()):
                    yield Finding(PiiKind.PROVIDER_KEY, *match.span(), 0.95)
        if PiiKind.INTERCHANGE_KEY in kinds and forms.INTERCHANGE_PREFIX in text:
            for match in forms.INTERCHANGE_KEYS.finditer(text, reading.start):
                yield Finding(PiiKind.INTERCHANGE_KEY, *match.span(), 0.98)

    def open_from(self, reading: Reading) -> int:
        text, length = reading.text, len(reading.text)
        place = length
        begin = text.rfind(forms.PEM_BEGIN, max(reading.start, length - forms.PEM_CHARS_MAX))
        if begin >= 0 and forms.PEM_PARTIAL.match(text, begin):
            place = begin
        first = max(reading.start, long_run(text))
        for opener in forms.OPENERS.finditer(text, first):
            limit = (
                forms.JWT_CHARS_MAX if opener.group() == "eyJ" else len(opener.group()) + forms.BODY_CHARS_MAX
            )
            if length - opener.start() <= limit:
                return min(place, opener.start())
        return place


class PhraseFinder:
    """Finder of what is said to be a secret: `Bearer …`, `password: …`, `https://user:password@host`."""

    kinds: frozenset[PiiKind] = frozenset({PiiKind.BEARER_TOKEN, PiiKind.URL_CREDENTIALS, PiiKind.PASSWORD})

    def may_hold(self, reading: Reading) -> bool:
        return reading.has_digits or ":" in reading.text or "=" in reading.text

    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:
        text = reading.text
        if PiiKind.URL_CREDENTIALS in kinds and "@" in text and ":" in text:
            for place in _places(text, "://", max(0, reading.start - 3)):
                match = forms.URL_CREDENTIALS.match(text, place + 3)
                if match and match.start() >= reading.start and ":" in match.group(1):
                    yield Finding(PiiKind.URL_CREDENTIALS, *match.span(1), 0.95)
        lower = reading.lowered
        if PiiKind.BEARER_TOKEN in kinds and reading.has_digits:
            for start in _bearer_values(reading, lower):
                value = forms.BEARER_VALUE.match(text, start)
                if start >= reading.start and value and _is_random(value.group()):
                    yield Finding(PiiKind.BEARER_TOKEN, *value.span(), 0.9)
        if PiiKind.PASSWORD in kinds:
            for start, is_password in _assigned(reading, lower, reading.start):
                found = _value(text, start, is_password=is_password)
                if found is not None and found.start >= reading.start:
                    yield found

    def open_from(self, reading: Reading) -> int:
        text, length = reading.text, len(reading.text)
        places = [length]
        begin = text.rfind("://", max(0, length - 200))
        if begin >= 0:
            body = forms.URL_BODY.match(text, begin + 3)
            if body is not None and body.end() == length:
                places.append(begin + 3)
        lower = reading.lowered
        run = _run(text, forms.BEARER_CHARS_MAX)
        if length - run > TOKEN_CHARS_MAX and run in _bearer_values(reading, lower):
            places.append(run)
        for start, _ in _assigned(reading, lower, max(reading.start, length - forms.VALUE_CHARS_MAX)):
            if _may_grow(text, start):
                places.append(start)
        return max(reading.start, min(places))


_SHORTEST: Final = tuple(
    prefix
    for prefix in forms.PREFIXES
    if not any(other != prefix and prefix.startswith(other) for other in forms.PREFIXES)
)


def long_run(text: str) -> int:
    """Where the run of characters of tokens at the end begins, if it is longer than TOKEN_CHARS_MAX; else the
    text's length."""
    start = _run(text, forms.JWT_CHARS_MAX)
    return start if len(text) - start > TOKEN_CHARS_MAX else len(text)


def _run(text: str, limit: int) -> int:
    match = _SECRET_CHARS.match(text[: -TOKEN_CHARS_MAX - 2 : -1])
    if match is not None and match.end() > TOKEN_CHARS_MAX:
        match = _SECRET_CHARS.match(text[: -limit - 1 : -1])
    return len(text) - (match.end() if match else 0)


def _private_keys(reading: Reading) -> Iterator[Finding]:
    text = reading.text
    for place in _places(text, forms.PEM_BEGIN, reading.start):
        head = forms.PEM_HEAD.match(text, place)
        if head is None:
            continue
        body = forms.PEM_BODY.match(text, head.end())
        end = body.end() if body else head.end()
        foot = forms.PEM_END.match(text, end)
        if foot is not None:
            yield Finding(PiiKind.PRIVATE_KEY, place, foot.end(), 0.99)
        elif forms.PEM_FIRST_LINE.match(text, head.end()):
            yield Finding(PiiKind.PRIVATE_KEY, place, end, 0.95)


def _bearer_values(reading: Reading, lower: str) -> list[int]:
    found = []
    for place in _places(lower, "bearer", max(0, reading.start - 32)):
        space = forms.BEARER_SPACE.match(lower, place + len("bearer"))
        if space and not lower[place - 1 : place].isalnum() and reading.is_near(place, space.end() - 1):
            found.append(space.end())
    return found


def _assigned(reading: Reading, lower: str, first: int) -> Iterator[tuple[int, bool]]:
    """Where a value begins that words before it call a secret, and whether they call it a password. The words
    are within what a stream keeps."""
    stems = any(stem in lower for stem in forms.PASSWORD_STEMS)
    for hint in (*forms.PASSWORD_HINTS, *forms.TOKEN_HINTS) if stems else forms.TOKEN_HINTS:
        for place in _places(lower, hint, max(0, first - 64)):
            if hint == "key" and not lower[max(0, place - 12) : place].rstrip("_- ").endswith(
                forms.KEY_PREFIXES
            ):
                continue
            match = forms.ASSIGNED.match(lower, place + len(hint))
            if match is None or match.end() >= len(lower) or match.end() - place > 40:
                continue
            if reading.is_near(max(0, place - 12), match.end()):
                yield match.end(), hint in forms.PASSWORD_HINTS


def _opens_something(lower: str, place: int) -> bool:
    """Whether the `key` there is one: `api_key`, not `primary key`."""
    return lower[max(0, place - 12) : place].rstrip("_- ").endswith(forms.KEY_PREFIXES)


def _value(text: str, start: int, *, is_password: bool) -> Finding | None:
    quoted = forms.QUOTED_VALUE.match(text, start)
    if quoted is not None:
        value, (begin, end) = quoted.group(2), quoted.span(2)
    else:
        plain = forms.PLAIN_VALUE.match(text, start)
        if plain is None:
            return None
        value = plain.group().rstrip(".:!?")
        begin, end = start, start + len(value)
        least = 0 if is_password else _PLAIN_TOKEN_CHARS_MIN
        if len(value) < least or not any(map(str.isdigit, value)) or _IDENTIFIERS.fullmatch(value):
            return None
    if forms.PLACEHOLDER.search(value) or len(value) < 6:
        return None
    if is_password:
        if not re.search(r"[0-9!@#$%^&*+=]", value):
            return None
    elif len(value) < _TOKEN_VALUE_CHARS_MIN or " " in value or not _is_random(value):
        return None
    return Finding(PiiKind.PASSWORD, begin, end, 0.75)


def _may_grow(text: str, start: int) -> bool:
    """Whether the value that begins there may go on behind the end of the text."""
    quote = re.match(r"\\{0,2}[\"'`]", text[start : start + 3])
    rest = text[start + (quote.end() if quote else 0) :]
    if len(rest) > forms.VALUE_CHARS_MAX:
        return False
    if quote:
        return quote.group() not in rest and "\n" not in rest and "\r" not in rest
    plain = re.match(r"[^\s\"'`,;()<>{}\[\]\\]*+", rest)
    return plain is not None and plain.end() == len(rest)


def _is_random(value: str) -> bool:
    """Letters and digits, and not the same again and again, as in an example."""
    return (
        any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and len(set(value)) >= min(10, len(value) // 2)
    )


def _is_jwt(token: str) -> bool:
    header = token.split(".", 1)[0]
    try:
        decoded = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
    except (binascii.Error, ValueError):
        return False
    return b'"alg"' in decoded


def _places(text: str, part: str, first: int) -> Iterator[int]:
    place = text.find(part, first)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)
