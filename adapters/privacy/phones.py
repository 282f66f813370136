"""Telephone numbers: an international prefix, a form nothing else has, or a word that says so."""

import re
from collections.abc import Iterator
from typing import Final

from adapters.privacy.reading import Reading
from adapters.privacy.words import PHONES
from domain.privacy.context import speaks_against, speaks_for
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind

DIGITS_MIN: Final = 6
DIGITS_MAX: Final = 15
"""E.164."""

_EXTENSION: Final = re.compile(r"(?: ?(?:x|ext\.?|extension) ?|#)[0-9]{1,6}(?![0-9])", re.IGNORECASE)
_RUN: Final = re.compile(r"[0-9]{1,15}(?:(?:[ .\-/]|\) ?|[ \-]?\()[0-9]{1,15}){0,8}(?![0-9])")
_DATE: Final = re.compile(
    r"(?:19|20)[0-9]{2}([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])(?![0-9])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])([-/.])(?:0?[1-9]|[12][0-9]|3[01])\2(?:19|20)?[0-9]{2}(?![0-9]|\2[0-9])"
    r"|(?:19|20)[0-9]{2}[-/ ](?:19|20)[0-9]{2}(?![0-9])"
)
_CERTAIN_FORMS: Final = re.compile(
    r"[0-9]{3}([-.])[0-9]{3}\1[0-9]{4}(?![0-9])"  # North America
    r"|0[1-9](?:([ .-])[0-9]{2})(?:\2[0-9]{2}){3}(?![0-9])"  # France
)
_CERTAIN_IN_PARENTHESES: Final = re.compile(r"0?[0-9]{2,4}\)[ -]?[0-9]{3,5}[ .-][0-9]{3,4}(?![0-9])")
_COUNTRY: Final = re.compile("00[1-9]")
_DATE_INSIDE: Final = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}([-/.])[01][0-9]\1[0-3][0-9](?![0-9])")
_GOES_ON: Final = frozenset("-./0123456789")
_MONEY: Final = frozenset("$€£¥₹#%")


def phone_candidates(reading: Reading, place: int) -> Iterator[Finding]:
    """At a place where a row of digits begins."""
    text = reading.text
    if (
        text[place - 1 : place] == "+"
        or text[place : place + 2] == "00"
        or text[max(0, place - 2) : place] == "+("
    ):
        found = _international(reading, place)
        if found is not None:
            yield found
            return
    run = _RUN.match(text, place)
    if run is None:
        return
    end, digits = run.end(), sum(map(str.isdigit, run.group()))
    opens = text[place - 1 : place] == "(" and ")" in run.group()
    if not DIGITS_MIN <= digits <= DIGITS_MAX or run.group().count("(") + opens != run.group().count(")"):
        return
    start = place - 1 if opens else place
    if not _is_whole(text, start, end):
        return
    score = _score(reading, start, place, run)
    if score:
        yield Finding(PiiKind.PHONE_NUMBER, start, _with_extension(text, end), score)


def is_date(text: str, place: int) -> bool:
    """Whether what is there is a date or a span of years, the most common row of digits that is no number of
    anybody."""
    match = _DATE.match(text, place)
    return match is not None and text[match.end() : match.end() + 1] not in _GOES_ON


def _score(reading: Reading, start: int, place: int, run: re.Match[str]) -> float:
    text, end = reading.text, run.end()
    before = reading.before(start)
    shape = _CERTAIN_IN_PARENTHESES if start < place else _CERTAIN_FORMS
    certain = shape.match(text, place)
    if certain is not None and certain.end() == end:
        return 0.0 if speaks_against(before, PHONES) else 0.85
    if not _has_groups_of_a_number(run.group()):
        return 0.0
    return 0.7 if speaks_for(before, reading.after(_with_extension(text, end)), PHONES) else 0.0


def _has_groups_of_a_number(run: str) -> bool:
    """Not a list of small numbers, not a fraction and not a year behind a number."""
    if _DATE_INSIDE.search(run):
        return False
    groups = re.findall(r"[0-9]+", run)
    if len(groups) == 1:
        return len(run) > DIGITS_MIN
    singles = sum(len(group) == 1 for group in groups)
    if "." in run and (len(groups) == 2 or len(set(run) - set("0123456789")) > 1):
        return False
    return singles <= 1 and len(groups[-1]) >= 2


def _international(reading: Reading, place: int) -> Finding | None:
    """A number with its country's code, of a length that the country has."""
    text = reading.text
    start = place
    while start > 0 and place - start < 2 and text[start - 1] in "+(":
        start -= 1
    if start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        return None
    run = _RUN.match(text, place)
    if run is None:
        return None
    for group in reversed(list(re.finditer(r"[0-9]+", run.group()))):
        number = re.sub(r"[^0-9]", "", run.group()[: group.end()])
        if start == place:
            number = number.removeprefix("00")
        if len(number) < DIGITS_MIN:
            return None
        if len(number) > DIGITS_MAX or not _is_possible(number):
            continue
        end = place + group.end()
        return Finding(PiiKind.PHONE_NUMBER, start, _with_extension(text, end), 0.95)
    return None


def _is_possible(number: str) -> bool:
    """Whether the country of the code has numbers of this length; the library is loaded when first asked."""
    import phonenumbers

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(f"+{number}"))
    except phonenumbers.NumberParseException:
        return False


def _is_whole(text: str, start: int, end: int) -> bool:
    """Neither a part of a longer row of numbers, nor of a code, nor money."""
    before, follows = text[max(0, start - 2) : start], text[end : end + 2]
    if before[-1:] in _MONEY and before:
        return False
    if before[-1:] in " .-/(" and before[:1].isdigit() and len(before) == 2:
        return False
    if follows[:1].isdigit() or follows[:1] in ("%", "_"):
        return False
    if follows[:1].isalpha() and follows[:1].isascii():
        return _EXTENSION.match(text, end) is not None
    return not (len(follows) == 2 and follows[0] in ".,:/" and follows[1].isdigit())


def _with_extension(text: str, end: int) -> int:
    match = _EXTENSION.match(text, end)
    return match.end() if match else end
