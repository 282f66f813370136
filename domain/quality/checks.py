"""What can be found wrong with a whole answer without asking anybody. Pure.

`flags` sees what the record of a request says anyway, and is cheap enough for every request. `found_in_text`
reads the answer and is for samples. Precision first: what is not certain is not found.
"""

import json
import re
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

TRUNCATED: Final = "truncated"
"""It ended at a limit of tokens."""
EMPTY: Final = "empty"
"""It says nothing and asks for nothing."""
REFUSAL: Final = "refusal"
"""Its provider says that it refused or filtered, or it begins as refusals do."""
CUT: Final = "cut"
"""Its stream broke after its first content."""
INVALID_JSON: Final = "invalid_json"
"""JSON was asked for, and it is none."""
SCHEMA_MISMATCH: Final = "schema_mismatch"
"""It is JSON, but not of the schema that was asked for."""
REPETITIVE: Final = "repetitive"
"""It says the same again and again."""
TOO_SHORT: Final = "too_short"
TOO_LONG: Final = "too_long"

FLAG_CHECKS: Final = (TRUNCATED, EMPTY, REFUSAL, CUT)
"""What `flags` can find."""
TEXT_CHECKS: Final = (EMPTY, REFUSAL, INVALID_JSON, SCHEMA_MISMATCH, REPETITIVE, TOO_SHORT, TOO_LONG)
"""What `found_in_text` can find."""
CHECKS: Final = (*TEXT_CHECKS, TRUNCATED, CUT)

REFUSAL_LOOKED_AT_CHARS: Final = 240
REFUSAL_CHARS_MAX: Final = 1_200
"""Longer texts that begin like a refusal go on to help."""
REPETITIVE_FROM_CHARS: Final = 1_000
REPETITIVE_LOOKED_AT_CHARS: Final = 8_000
REPETITIVE_RATIO: Final = 0.04
"""Size after over size before compression. Prose is near 0.45, lists and tables above 0.1."""

_FINE: Final = frozenset({"stop", "tool_calls"})
_FILTERED: Final = frozenset({"content_filter", "refusal"})
_WORDS: Final = frozenset({"chat", "completion"})
_CANNOT: Final = (
    r"i(?: can'?t| cannot| can not| won'?t|'m unable to| am unable to|'m not able to| am not able to)"
)
_HELP: Final = (
    r"(?:assist|help|provide|comply|fulfill?|create|generate|write|produce|answer|discuss|engage|support"
    r"|continue|participate|share|do that|do this|complete|give)"
)
_SORRY: Final = (
    r"(?:(?:i'?m|i am) (?:very |really |so )?sorry|sorry|i apologi[sz]e|my apologies|unfortunately)"
)
_REFUSALS: Final = re.compile(
    "|".join(
        (
            _SORRY + r"[,.!]? (?:but )?(?:as an ai[^,.]{0,40},? )?" + _CANNOT + r" " + _HELP + r"\b",
            _CANNOT + r" (?:assist|help|comply|fulfill?|engage|participate)\b",
            r"as an ai(?: language)?(?: model| assistant)?,? " + _CANNOT + r"\b",
            r"(?:es )?tut mir (?:sehr )?leid, (?:aber )?(?:ich kann|dabei kann ich|das kann ich)[^.]{0,60}"
            r"\bnicht (?:weiter)?(?:helfen|beantworten|bereitstellen|erstellen|unterstützen)",
            r"ich kann (?:dir|ihnen|dabei|bei dieser)[^.]{0,40}\bnicht (?:helfen|weiterhelfen|unterstützen)",
            r"(?:je suis )?désolée?, (?:mais )?je ne (?:peux|suis) pas"
            r" (?:en mesure de |vous |t')*(?:aider|fournir|répondre|créer|générer|assister)",
            r"je ne peux pas (?:vous aider|t'aider|répondre à cette)",
            r"lo siento, (?:pero )?no puedo (?:ayudar|asistir|proporcionar|cumplir|responder|crear|generar)",
            r"no puedo ayudar(?:te|le)? con",
            r"mi dispiace, (?:ma )?non posso (?:aiutar|fornire|assister|rispondere|creare)",
            r"(?:desculpe|sinto muito|lamento), (?:mas )?(?:eu )?não posso"
            r" (?:ajudar|fornecer|atender|responder|criar)",
            r"很?(?:抱歉|对不起)[\uff0c,]但?我(?:无法|不能)(?:协助|帮助|提供|满足|回答|完成)",
            r"申し訳(?:ありません|ございません)が、[^。]{0,60}(?:お手伝い|お答え|提供|対応)(?:する)?(?:こと)?"
            r"[はが]?でき(?:ません|かねます)",
        )
    )
)


def flags(outcome: str, finish_reason: str, output_tokens: int | None, operation: str) -> str:
    """What the record alone shows: names of FLAG_CHECKS, comma separated; empty: nothing.

    `outcome`, `finish_reason` (the pivot's words) and `operation` are those of `RequestEvent`.
    `output_tokens` of an answer that was made for this request; None where they are not known or where it is
    an earlier answer. Nothing is found in what was refused, failed or left by its caller.
    """
    if outcome == "ok":
        if finish_reason in _FINE:
            return EMPTY if output_tokens == 0 and finish_reason == "stop" and operation in _WORDS else ""
        if finish_reason == "length":
            return TRUNCATED
        return REFUSAL if finish_reason in _FILTERED else ""
    return CUT if outcome == "cut" else ""


class TextLimits(NamedTuple):
    """What a route says of its answers, in characters; None: nothing."""

    chars_min: int | None = None
    chars_max: int | None = None


class AnswerText(NamedTuple):
    """The words of one answer, as its caller was given them, less what privacy policies hide."""

    text: str
    whole: bool = True
    """Whether this is all of it, rather than its beginning."""
    calls_tools: bool = False
    """Whether it asks its caller to run something, so that it need not say anything."""
    wants_json: bool = False
    schema_kept: bool | None = None
    """Whether its JSON is of the schema that was asked for; None: nobody looked."""
    finish_reason: str = "stop"


def found_in_text(
    answer: AnswerText, wanted: Iterable[str] = TEXT_CHECKS, limits: TextLimits | None = None
) -> tuple[str, ...]:
    """Names of those of the wanted checks that find something, in the order of TEXT_CHECKS.

    What needs the whole answer finds nothing in a beginning, and `invalid_json` nothing in one that ended at
    a limit, which is `truncated` already.
    """
    text, asked = answer.text, frozenset(wanted)
    bare = not text.strip()
    found: set[str] = set()
    if answer.finish_reason in _FILTERED:
        found.add(REFUSAL)
    if bare:
        if answer.whole and not answer.calls_tools and answer.finish_reason == "stop":
            found.add(EMPTY)
    else:
        if looks_like_refusal(text):
            found.add(REFUSAL)
        ended = answer.whole and answer.finish_reason == "stop" and not answer.calls_tools
        if answer.wants_json and ended and REFUSAL not in found:
            if not is_json(text):
                found.add(INVALID_JSON)
            elif answer.schema_kept is False:
                found.add(SCHEMA_MISMATCH)
        if looks_repetitive(text):
            found.add(REPETITIVE)
        if limits is not None and limits.chars_min is not None and ended and len(text) < limits.chars_min:
            found.add(TOO_SHORT)
    if limits is not None and limits.chars_max is not None and len(text) > limits.chars_max:
        found.add(TOO_LONG)
    return tuple(name for name in TEXT_CHECKS if name in found and name in asked)


def looks_like_refusal(text: str) -> bool:
    """Whether a short text begins with a well-known refusal, in English or one of a few other languages."""
    if len(text) > REFUSAL_CHARS_MAX:
        return False
    beginning = " ".join(text[:REFUSAL_LOOKED_AT_CHARS].lower().replace("\u2019", "'").split())
    return _REFUSALS.match(beginning.lstrip("*_#>\"' ")) is not None


def looks_repetitive(text: str) -> bool:
    """Whether the end of a longer text is little more than one thing said over and over."""
    if len(text) < REPETITIVE_FROM_CHARS:
        return False
    end = text[-REPETITIVE_LOOKED_AT_CHARS:].encode()
    return len(zlib.compress(end, 6)) < REPETITIVE_RATIO * len(end)


def is_json(text: str) -> bool:
    """Whether a text is one JSON value and nothing else, by the letter of RFC 8259 (no NaN)."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
