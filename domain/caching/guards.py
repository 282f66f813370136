"""What forbids to answer one question with the answer to another, however similar they are.

A guard is cheap and wrong on the safe side: it costs hits, never truth. What no rule can tell is left to the
verified decision.
"""

import re
from typing import Final

from domain.caching.kinds import exclude_each_other, kinds_of
from domain.caching.lexicon import FOREIGN_FUNCTION_WORDS, FUNCTION_WORDS
from domain.caching.policy import CachePolicy
from domain.caching.reading import Reading, read
from domain.caching.stems import stem

WORDS_MAX: Final = 120
"""Longer questions are only answered from equal ones; embedders read some 200 pieces at most."""
LINES_MAX: Final = 6
CHARS_MAX: Final = 1_200
STAYS_TRUE_S: Final = 300.0
"""Answers that are kept for less may be about what happens now."""

_TIME_BOUND: Final = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|nowadays|latest|newest|current|currently|recent|"
    r"recently|so far|at the moment|"
    r"this (?:week|month|year|season|morning|evening|weekend)|(?:next|last) (?:week|month|year)|"
    r"upcoming|weather|forecast|breaking|news|stock price|share price|exchange rate|prices?|score|live|"
    r"what time|what day|what date|opening hours|open now)\b",
    re.IGNORECASE,
)
_PERSONAL: Final = re.compile(
    r"\b(?:my|our|mine|ours)\s+(?:\w+\s+){0,2}(?:accounts?|orders?|balances?|invoices?|subscriptions?|"
    r"payments?|deliver(?:y|ies)|packages?|parcels?|shipments?|tickets?|bookings?|reservations?|salary|payslips?|"
    r"appointments?|transactions?|transfers?|bills?|refunds?|cards?|passwords?|pin|profile|contracts?|applications?|"
    r"claims?|policy|address|phone number|e-?mails?|inbox|calendar|meetings?|schedule|usage|quota|plan|"
    r"statement|tax(?:es)?|results?)\b"
    r"|\b(?:who am i|where am i|what is my|what's my|what are my|do i have|am i)\b",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    r"```|`[^`]+`|[{};]\s*$|=>|->|::|\w\(\w*\)|[<][/a-zA-Z][^>]*>|^\s*(?:def|class|import|from|SELECT|#include)\b|"
    r"[=!<>]=|\\n|\bfunction\s*\(|Traceback",
    re.MULTILINE,
)
_PLACEHOLDER: Final = re.compile(r"\[[^\]]*\]|\{[^}]*\}|<[^>]*>|\|")
_STRICT_ROLES: Final = 2


def why_not_similar(text: str, exchanges: int, policy: CachePolicy) -> str:
    """Why a question is only answered from equal ones, in one word for metrics; empty: similar ones may do.

    The work is bounded for any text.
    """
    if exchanges > policy.history_max:
        return "history"
    if len(text) > CHARS_MAX:
        return "long"
    words = text.split()
    if len(words) > WORDS_MAX:
        return "long"
    if not words:
        return "empty"
    if text.count("\n") >= LINES_MAX or len(_PLACEHOLDER.findall(text)) > 3:
        return "template"
    if _CODE.search(text):
        return "code"
    letters = sum(map(str.isalpha, text))
    digits = sum(map(str.isdigit, text))
    if digits > 0.2 * max(1, letters) or letters < 0.5 * len(text):
        return "digits"
    if policy.ttl_s > STAYS_TRUE_S and _TIME_BOUND.search(text):
        return "time"
    if _PERSONAL.search(text):
        return "personal"
    return _foreign(text, words)


def _foreign(text: str, words: list[str]) -> str:
    if read(text).script != "latin" or sum(1 for letter in text if ord(letter) > 0x24F) > 0.1 * len(text):
        return "script"
    lower = [word.strip(".,?!;:\"'()").lower() for word in words]
    english = sum(1 for word in lower if word in FUNCTION_WORDS)
    foreign = sum(1 for word in lower if word in FOREIGN_FUNCTION_WORDS and word not in FUNCTION_WORDS)
    return "language" if foreign > english or (len(lower) >= 8 and not english) else ""


def why_different(new: str, kept: str) -> str:
    """Why the answer to `kept` is none to `new`, in one word for metrics; empty: no rule says so."""
    if new == kept:
        return ""
    return different_readings(read(new), read(kept))


def different_readings(new: Reading, kept: Reading) -> str:
    """The same for texts that were read."""
    if new.script != kept.script:
        return "script"
    if new.numbers != kept.numbers:
        return "number"
    if new.units != kept.units and _other_unit(new.units, kept.units):
        return "unit"
    if new.particulars != kept.particulars:
        return "particular"
    if _quotes_other(new, kept) and _quotes_other(kept, new):
        return "quotation"
    if (new.negations - kept.negations) % 2:
        return "negation"
    if new.asking and kept.asking and new.asking != kept.asking:
        return "question"
    if exclude_each_other(new.kinds, kept.kinds) or _prefixed(new, kept):
        return "opposite"
    if new.used_to != kept.used_to:
        return "time"
    if _other_people(new, kept):
        return "pronoun"
    return _names_differ(new, kept) or _roles_differ(new, kept) or _narrower(new, kept)


def _other_unit(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    measured = dict(other)
    return any(number in measured and measured[number] != unit for number, unit in one - other)


def _quotes_other(one: Reading, other: Reading) -> bool:
    """Whether it quotes what the other neither quotes nor says."""
    return bool(one.quoted) and not set(one.quoted) <= set(other.quoted)


def _prefixed(new: Reading, kept: Reading) -> bool:
    """Happy and unhappy, legal and illegal."""
    only_new, only_kept = set(new.content) - set(kept.content), set(kept.content) - set(new.content)
    return any(
        prefix + word in there
        for here, there in ((only_new, only_kept), (only_kept, only_new))
        for word in here
        if len(word) >= 4
        for prefix in _NOT
    )


_NOT: Final = (
    "un",
    "in",
    "im",
    "ir",
    "il",
    "dis",
    "non",
    "non-",
    "mis",
    "anti",
    "anti-",
    "de",
    "under",
    "over",
    "a",
)


def _other_people(new: Reading, kept: Reading) -> bool:
    if new.genders == kept.genders:
        return False
    return bool(new.genders and kept.genders) or bool(new.names and kept.names)


def _names_differ(new: Reading, kept: Reading) -> str:
    """Each names something that the other does not mention."""
    if new.names == kept.names:
        return ""
    if _unmentioned(new, kept) and _unmentioned(kept, new):
        return "name"
    return ""


def _unmentioned(one: Reading, other: Reading) -> bool:
    words, names, own = set(other.words), other.names, set(one.words)
    # What both say in the same word is spoken for: Norwegians in both do not make up for Norway.
    free = [name for name in names if name not in one.names]
    kinds = kinds_of(word for word in other.words if word not in own)
    return any(
        name not in names
        and stem(name) not in words
        and not any(_same_name(name, each) for each in free)
        and kinds_of((stem(name),)).isdisjoint(kinds)
        for name in one.names
    )


def _same_name(one: str, other: str) -> bool:
    """India and Indian, Trump and Trumps."""
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    return len(short) >= 4 and long.startswith(short) and long[len(short) :] in _NAME_ENDINGS


_NAME_ENDINGS: Final = frozenset(("s", "n", "an", "ian", "ese", "i", "ish", "'s"))


def _roles_differ(new: Reading, kept: Reading) -> str:
    """The same words, but somebody else does it."""
    if sorted(new.content) == sorted(kept.content):
        if new.content == kept.content:
            return "role" if new.passive != kept.passive else ""
        turned = _turned(new.content, kept.content)
        if new.passive != kept.passive:
            return "" if turned else "role"
        if turned and _only_content_moved(new, kept) and not (new.joined and kept.joined):
            return "role"
    shared = [name for name in new.names if name in kept.names]
    if len(set(shared)) >= _STRICT_ROLES and new.passive == kept.passive:
        there = [name for name in kept.names if name in new.names]
        if shared != there and sorted(shared) == sorted(there) and not (new.joined and kept.joined):
            return "role"
    return ""


def _narrower(new: Reading, kept: Reading) -> str:
    """One of them only adds a word to the other, and asks whether something is so: `an elite auditor`."""
    if new.open or kept.open:
        return ""
    here = [word for word in new.words if word not in _ARTICLES]
    there = [word for word in kept.words if word not in _ARTICLES]
    one, other = sorted((here, there), key=len)
    if not 1 <= len(other) - len(one) <= 2 or len(new.content) == len(kept.content):
        return ""
    rest = iter(other)
    return "narrower" if all(word in rest for word in one) else ""


_ARTICLES: Final = frozenset(("a", "an", "the"))


def _only_content_moved(new: Reading, kept: Reading) -> bool:
    """Whether all that differs is which words of meaning stand where, as in `cats chase dogs`."""
    if len(new.words) != len(kept.words):
        return False
    content = set(new.content)
    return all(
        word in content and there in content
        for word, there in zip(new.words, kept.words, strict=True)
        if word != there
    )


def _turned(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether what stood first among the moved words now stands last."""
    moved_one = [word for word, there in zip(one, other, strict=True) if word != there]
    moved_other = [there for word, there in zip(one, other, strict=True) if word != there]
    return moved_one[0] == moved_other[-1] or moved_one[-1] == moved_other[0]
