"""Signs that a text wants to take a model over, or that an answer carries something out.

Heuristics: they know common phrases in a few languages, and common disguises. Somebody who knows them gets
past them, and a text about such attacks sets them off. Each sign has a weight; together they make a score.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from domain.guardrails.regular import Regular, folded, regular

TEXT_CHARS_MAX: Final = 200_000
"""Of a longer text, the beginning and the end are read, half of this each."""
BLOBS_MAX: Final = 50
_BLOB_CHARS_MIN: Final = 24
_BLOB_CHARS_MAX: Final = 4096
_PRINTABLE_SHARE: Final = 0.9
_UNSEEN_MIN: Final = 4
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{2,}")
_SPACES: Final = re.compile(r"[^\S\n]+")
_FLAG: Final = "\U0001f3f4"
_UNSEEN: Final = re.compile("[\u200b\u200c\u2060-\u2064\ufeff\u180e\u202a-\u202e\u2066-\u2069]")
_BASE64: Final = re.compile(rf"[A-Za-z0-9+/_-]{{{_BLOB_CHARS_MIN},{_BLOB_CHARS_MAX}}}={{0,2}}")
_HEX: Final = re.compile(rf"(?:[0-9A-Fa-f]{{2}}){{{_BLOB_CHARS_MIN // 2},{_BLOB_CHARS_MAX // 2}}}")


class Sign(StrEnum):
    """Names are stable: they appear in reasons."""

    OVERRIDE = "override"
    ROLE_PLAY = "role_play"
    EXTRACTION = "extraction"
    DELIMITER = "delimiter"
    HIDDEN_TEXT = "hidden_text"
    ENCODED = "encoded"
    EXFILTRATION = "exfiltration"


WEIGHTS: Final[Mapping[Sign, float]] = {
    Sign.OVERRIDE: 0.6,
    Sign.ROLE_PLAY: 0.5,
    Sign.EXTRACTION: 0.5,
    Sign.DELIMITER: 0.5,
    Sign.HIDDEN_TEXT: 0.5,
    Sign.ENCODED: 0.6,
    Sign.EXFILTRATION: 0.6,
}
_PAYLOAD: Final = frozenset({Sign.OVERRIDE, Sign.ROLE_PLAY, Sign.EXTRACTION, Sign.DELIMITER})


class Suspicion(NamedTuple):
    """`score`: 0 to 1; each sign counts once, however often it is there."""

    score: float
    signs: frozenset[Sign]


_WHAT: Final = "(?:instructions|directions|directives|rules|guidelines|prompts?|constraints|messages)"
_PHRASES: Final[Mapping[Sign, tuple[str, ...]]] = {
    Sign.OVERRIDE: (
        rf"\b(?:ignore|disregard|forget|override|bypass)\s(?:[a-z']{{1,12}}\s){{0,4}}?{_WHAT}\b",
        r"\b(?:ignore|disregard|forget)\s(?:all|everything|anything)\s(?:above|before|you)\b",
        r"\bnew\s(?:system\s)?instructions?\s{0,3}:",
        r"\bignorier\w{0,2}\s(?:\w{1,12}\s){0,4}?(?:anweisungen|regeln|vorgaben|instruktionen)\b",
        r"\bignore[zr]?\s(?:\w{1,12}\s){0,4}?(?:instructions|consignes|r.gles)\b",
        r"\b(?:ignora|olvida)\s(?:\w{1,12}\s){0,4}?(?:instrucciones|reglas|istruzioni|regole)\b",
    ),
    Sign.ROLE_PLAY: (
        r"\byou\s(?:are|will\sbe)\snow\s(?:\w{1,12}\s){0,3}?(?:dan|unrestricted|unfiltered|jailbroken)\b",
        r"\b(?:do\sanything\snow|jailbreak|god|developer)\s(?:mode|prompt)\b",
        (
            r"\b(?:pretend|act|behave|roleplay)\s[^.\n]{0,40}?\b(?:without|no|ignoring)\s(?:any\s)?"
            r"(?:restrictions|rules|filters|limits|guidelines|ethics)\b"
        ),
    ),
    Sign.EXTRACTION: (
        (
            r"\b(?:reveal|print|repeat|show|output|display|tell|give|leak|dump)\s[^.\n]{0,40}?"
            r"\b(?:system|initial|hidden|original|secret|developer)\s(?:prompt|instructions?|message)\b"
        ),
        r"\b(?:repeat|print|output)\s[^.\n]{0,30}?\b(?:text|words|everything|all)\s(?:\w{1,9}\s)?above\b",
        r"\bwhat\s(?:is|are|was|were)\syour\s(?:system|initial|original)\s(?:prompt|instructions?)\b",
    ),
    Sign.DELIMITER: (
        r"<\|(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id)\|>",
        r"\[/?(?:INST|SYS)\]|<</?SYS>>|</?(?:system|system_prompt|instructions)>",
        r"\n#{2,4}\s{0,3}(?:system|instruction|new\stask)\s{0,3}:",
        r"\n\n(?:system|assistant)\s{0,3}:",
    ),
    Sign.EXFILTRATION: (
        r"!\[[^\]\n]{0,80}\]\(\s{0,3}https?://[^\s)?#]{1,200}[?#][^\s)]{16,300}",
        r"\bsrc\s?=\s?['\"]?https?://[^\s>?#'\"]{1,200}[?#][^\s>'\"]{16,300}",
    ),
}  # fmt: skip


@cache
def expressions() -> Mapping[Sign, tuple[Regular, ...]]:
    """Compiled once somebody wants them: measuring takes a tenth of a second, of every start otherwise."""
    return {sign: tuple(map(regular, sources)) for sign, sources in _PHRASES.items()}


def suspicion(text: str) -> Suspicion:
    """What signs a text shows, and how much they are together."""
    if len(text) > TEXT_CHARS_MAX:
        half = TEXT_CHARS_MAX // 2
        text = f"{text[:half]}\n{text[-half:]}"
    signs = set(_phrases(text))
    if not text.isascii():
        hidden = _hidden(text)
        if hidden is not None:
            signs |= {Sign.HIDDEN_TEXT, *_phrases(hidden)}
    if any(_PAYLOAD & set(_phrases(said)) for said in _decoded(text)):
        signs.add(Sign.ENCODED)
    return Suspicion(score(signs), frozenset(signs))


def score(signs: set[Sign] | frozenset[Sign]) -> float:
    """What is left of certainty that nothing is wrong, after each sign took its share, turned round."""
    innocent = 1.0
    for sign in signs:
        innocent *= 1.0 - WEIGHTS[sign]
    return round(1.0 - innocent, 3)


_WORDS: Final[Mapping[Sign, tuple[str, ...]]] = {
    Sign.OVERRIDE: ("ignor", "disregard", "forget", "overrid", "bypass", "new ", "olvid"),
    Sign.ROLE_PLAY: (" now", "mode", "prompt", "pretend", "act", "behav", "roleplay"),
    Sign.EXTRACTION: ("prompt", "instruction", "message", "above"),
    Sign.DELIMITER: ("<", "[", "#", "\n\n"),
    Sign.EXFILTRATION: ("](", "src"),
}
"""Without one of these in it, a text cannot show the sign: most texts are done with then."""


def _phrases(text: str) -> Iterator[Sign]:
    text = _SPACES.sub(" ", folded(text)).replace(" \n", "\n")
    lowered = text.lower()
    for sign, known in expressions().items():
        if any(word in lowered for word in _WORDS[sign]) and any(each.found(text) for each in known):
            yield sign


def _hidden(text: str) -> str | None:
    """What is written in characters that nobody sees; None: nothing is."""
    said = [
        "".join(chr(ord(char) - 0xE0000) for char in match[0])
        for match in _TAGS.finditer(text)
        if text[match.start() - 1 : match.start()] != _FLAG
    ]
    if said:
        return " ".join(said)
    # Between letters of scripts that need them, single ones are right.
    return "" if sum(1 for _ in _UNSEEN.finditer(text)) >= _UNSEEN_MIN and _latin(text) else None


def _latin(text: str) -> bool:
    letters = [char for char in text[:2000] if char.isalpha()]
    return bool(letters) and sum("LATIN" in unicodedata.name(char, "") for char in letters) * 2 > len(letters)


def _decoded(text: str) -> Iterator[str]:
    """What runs of base64 or hexadecimal digits say, where they say a text."""
    count = 0
    for pattern in (_HEX, _BASE64):
        for match in pattern.finditer(text):
            count += 1
            if count > BLOBS_MAX:
                return
            try:
                raw = bytes.fromhex(match[0]) if pattern is _HEX else _base64(match[0])
                said = raw.decode()
            except (ValueError, binascii.Error):
                continue
            if said and sum(char.isprintable() or char.isspace() for char in said) >= _PRINTABLE_SHARE * len(
                said
            ):
                yield said


def _base64(blob: str) -> bytes:
    plain = blob.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4))
