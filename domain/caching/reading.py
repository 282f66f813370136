"""A question as guards and the verified decision read it: its words, numbers, names and who does what.

Knows English only, by lists and suffixes; what it cannot read it takes for different.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from domain.caching.kinds import kinds_of
from domain.caching.lexicon import (
    FEMALE,
    FILLERS,
    FUNCTION_WORDS,
    MALE,
    NEGATIONS,
    NUMBER_WORDS,
    UNITS,
)
from domain.caching.stems import stem
from domain.privacy.placeholders import NAME

CHARS_MAX: Final = 2_000
"""Of a text; the rest is not read, and such texts are never compared."""

_TOKEN: Final = re.compile(r"[^\W_]+(?:['\u2019.+#-][^\W_]+)*(?:\+\+|#)?|[$€£¥₹%]")
_NUMBER: Final = re.compile(r"(?:(?<![\w-])-)?\d[\d,]*(?:[./:]\d+)*(?:[kK]\b)?")
_PARTICULAR: Final = re.compile(
    r"https?://\S+|www\.\S+|(?<![\w.+-])[\w.+-]+@[\w-]+\.\w+|`[^`]+`|(?<!\w)(?:/[\w.-]+){2,}|\b[A-Za-z]:\\\S+|\b\w+\(\)"
    r"|\b(?=\w*\d)(?=\w*[A-Za-z])[\w-]{8,}|\$\S*[A-Za-z^=]\S*|(?<=[\w )])[=<>^*+]{1,3}(?=[\w (])"
    rf"|\b{NAME}\b"
)
"""Addresses and what stands for them, paths, code, ids, formulas: compared letter by letter."""
_QUOTED: Final = re.compile(r"\"+([^\"]{1,200})\"+|“([^”]{1,200})”|(?<!\w)'([^']{2,200})'(?!\w)")

_FILLING: Final = re.compile(
    r"\b(?:in fact|of course|by any chance|after all|i mean|you know)\b", re.IGNORECASE
)

_ASKING: Final = {
    "who": "who", "whom": "who", "whose": "who", "when": "when", "where": "where", "why": "why",
}  # fmt: skip
_OPEN: Final = frozenset(
    ["who", "whom", "whose", "when", "where", "why", "how", "what", "which", "what's", "who's", "how's"]
)
_MANNER: Final = {
    "many": "count", "much": "amount", "long": "duration", "old": "age", "often": "frequency",
    "tall": "height", "big": "size", "fast": "speed", "soon": "when",
}  # fmt: skip
_USED_TO: Final = re.compile(
    r"(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bbe )(?<!\bbeen )(?<!\bget )\bused? to "
    r"(?:be|have|live|work|do|like|play|love|think|exist|go|own|teach|believe)\b",
    re.IGNORECASE,
)
_BE: Final = frozenset(
    ["is", "are", "was", "were", "be", "been", "being", "am", "get", "got", "gets", "getting"]
)
_PAST: Final = frozenset(["was", "were", "did", "had"])
_TOGETHER: Final = frozenset(["and", "or", "vs", "versus", "between", "than", "with", "compared", "compare"])


class Reading(NamedTuple):
    """`words` are stems in order, fillers left out; `content` those that carry meaning."""

    words: tuple[str, ...]
    content: tuple[str, ...]
    names: tuple[str, ...]
    numbers: tuple[str, ...]
    """Sorted."""
    units: frozenset[tuple[str, str]]
    """(number, unit)."""
    particulars: tuple[str, ...]
    """Sorted."""
    quoted: tuple[str, ...]
    """In lower case."""
    negations: int
    genders: str
    """`m` and `f` in the order of pronouns."""
    asking: str
    """What kind of answer is asked for, where one word says so."""
    open: bool
    """Whether it asks what, how or why, rather than whether."""
    passive: bool
    past: bool
    used_to: bool
    joined: bool
    """Whether its order may be one of equals: and, or, versus."""
    kinds: frozenset[tuple[int, str]]
    script: str
    sentences: int


@lru_cache(maxsize=4096)
def read(text: str) -> Reading:
    """What is in a text; the same for equal texts. Reads at most `CHARS_MAX` characters."""
    text = text[:CHARS_MAX]
    tokens = _TOKEN.findall(_FILLING.sub(" ", text))
    lower = [token.lower().replace("\u2019", "'") for token in tokens]
    words: list[str] = []
    content: list[str] = []
    negations = 0
    genders = ""
    for word in lower:
        word = word.removesuffix("'s")
        if word.endswith("n't") or word in NEGATIONS:
            negations += 1
            words.append("not")
            continue
        if word in MALE:
            genders += "m"
        elif word in FEMALE:
            genders += "f"
        if word in FILLERS:
            continue
        stemmed = stem(word)
        words.append(stemmed)
        if word not in FUNCTION_WORDS:
            content.append(stemmed)
    numbers, units = _numbers(text, lower)
    return Reading(
        words=tuple(words),
        content=tuple(content),
        names=_names(text, tokens),
        numbers=numbers,
        units=units,
        particulars=tuple(sorted(_PARTICULAR.findall(text))),
        quoted=tuple("".join(found).lower().strip(" .,?!") for found in _QUOTED.findall(text)),
        negations=negations,
        genders=genders,
        asking=_asking(lower),
        open=not _OPEN.isdisjoint(lower[:12]),
        passive=_passive(lower),
        past=not _PAST.isdisjoint(lower),
        used_to=_USED_TO.search(text) is not None,
        joined=not _TOGETHER.isdisjoint(lower),
        kinds=kinds_of(words),
        script=_script(text),
        sentences=max(1, len(re.findall(r"[.?!]+(?:\s|$)", text))),
    )


def _numbers(text: str, lower: list[str]) -> tuple[tuple[str, ...], frozenset[tuple[str, str]]]:
    found = [match.replace(",", "") for match in _NUMBER.findall(text)]
    units = set()
    for place, word in enumerate(lower):
        as_number = NUMBER_WORDS.get(word)
        if as_number is not None:
            found.append(as_number)
        number = as_number or (word.replace(",", "") if word[0].isdigit() else "")
        if not number:
            continue
        for near in (place + 1, place - 1):
            if 0 <= near < len(lower) and (unit := UNITS.get(lower[near])):
                units.add((number, unit))
                break
    return tuple(sorted(_plain(number) for number in found)), frozenset(units)


def _plain(number: str) -> str:
    """1.50 and 1.5, 007 and 7 are one number; versions and dates stay as they are."""
    if number[-1] in "kK":
        whole, _, part = number[:-1].partition(".")
        number = whole + (part + "000")[: max(3, len(part))] if len(part) <= 3 else number
    if number.count(".") == 1 and "/" not in number and ":" not in number:
        number = number.rstrip("0").rstrip(".")
    return number.lstrip("0") or "0"


def _names(text: str, tokens: list[str]) -> tuple[str, ...]:
    """Capitalised words that do not owe it to the beginning of a sentence, in order and lower case."""
    worded = [token for token in tokens[1:] if token[0].isalpha()]
    capitals = sum(1 for token in worded if token[0].isupper())
    if len(worded) >= 5 and capitals > 0.8 * len(worded):
        return ()  # a title: its capitals say nothing
    starts = {match.end() for match in _SENTENCE_START.finditer(text)} | {0}
    names: list[str] = []
    at = 0
    for token in tokens:
        found = text.find(token, at)
        at = found if found >= 0 else at
        if token[0].isupper():
            low = token.lower().replace("\u2019", "'")
            low = low.removesuffix("'s")
            begins = at in starts and not (len(token) > 1 and token[1:].upper() == token[1:])
            if low not in FUNCTION_WORDS and low not in FILLERS and low not in NEGATIONS and not begins:
                names.append(low)
        at += len(token)
    return tuple(names)


_SENTENCE_START: Final = re.compile(r"^\W*|[.?!:;]\W+|[\"“(]\s*")


def _asking(lower: list[str]) -> str:
    for place, word in enumerate(lower[:8]):
        if word in _ASKING:
            return _ASKING[word]
        if word == "how" and place + 1 < len(lower):
            return _MANNER.get(lower[place + 1], "")
        if word in ("what", "which"):
            return ""
    return ""


def _passive(lower: list[str]) -> bool:
    """Whether something is done by somebody: a form of be, then a participle before `by`."""
    for place in range(2, len(lower)):
        if lower[place] == "by" and not _BE.isdisjoint(lower[max(0, place - 8) : place - 1]):
            before = lower[place - 1]
            if before.endswith(("ed", "en", "t", "n", "d", "g", "e")):
                return True
    return False


_SCRIPTS: Final = (
    (0x0250, "latin"), (0x0370, "other"), (0x0400, "greek"), (0x0530, "cyrillic"), (0x0590, "armenian"),
    (0x0600, "hebrew"), (0x0780, "arabic"), (0x0900, "other"), (0x0E00, "indic"), (0x0E80, "thai"),
    (0x1100, "other"), (0x1200, "hangul"), (0x1E00, "other"), (0x1F00, "latin"), (0x2000, "greek"),
    (0x3040, "other"), (0x3100, "kana"), (0x4E00, "other"), (0xA000, "han"), (0xAC00, "other"),
    (0xD7B0, "hangul"),
)  # fmt: skip


def _script(text: str) -> str:
    """Which script most of its letters are of; empty: it has none."""
    if text.isascii():
        return "latin"
    counts: dict[str, int] = {}
    for letter in text[:2000]:
        if letter.isalpha():
            code = ord(letter)
            name = next((name for below, name in _SCRIPTS if code < below), "other")
            counts[name] = counts.get(name, 0) + 1
    return max(counts, key=counts.__getitem__) if counts else ""
