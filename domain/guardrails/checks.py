"""The checks that need nobody else. Pure: a rule and texts in, what is found out."""

from collections.abc import Sequence
from typing import Final

from domain.guardrails.injection import suspicion
from domain.guardrails.regular import folded
from domain.guardrails.terms import NOTHING, Found, InjectionRule, PatternRule, SizeRule, TextSeen, spoken

STANDS_FOR: Final = "[REDACTED]"

Placed = Sequence[tuple[int, TextSeen]]
"""Texts with their positions among all of a body."""


def match_patterns(rule: PatternRule, texts: Placed) -> Found:
    """Names the first expression that objects; replaces every match of every one of them."""
    reason, at = "", None
    replaced: dict[int, str] = {}
    clean = True
    for index, seen in texts:
        number = _denied(rule, seen.text)
        if number:
            if not reason:
                reason, at = f"deny {number} matches", seen
            said = without_matches(rule, seen.text)
            # A match that only shows without a disguise cannot be cut out.
            clean = clean and not _denied(rule, said)
            replaced[index] = said
        elif rule.allow and spoken(seen.path) and not _allowed(rule, seen.text):
            reason, at, clean = reason or "nothing in allow matches", at or seen, False
    return Found(reason=reason, at=at, replaced=replaced if clean else {}) if reason else NOTHING


def without_matches(rule: PatternRule, text: str) -> str:
    """The text with something else in the place of what is denied."""
    for expression in rule.deny:
        pieces, end = [], 0
        for start, stop in expression.finditer(text):
            if not _excepted(rule, text[start:stop]):
                pieces += [text[end:start], STANDS_FOR]
                end = stop
        if pieces:
            text = "".join((*pieces, text[end:]))
    return text


def _denied(rule: PatternRule, text: str, *, open_end: bool = False) -> int:
    """The number of the first expression that objects, from 1; 0: none does."""
    plain = folded(text)
    for said in (text,) if plain == text else (text, plain):
        length = len(said)
        for number, expression in enumerate(rule.deny, 1):
            for start, end in expression.finditer(said):
                if not (open_end and end == length) and not _excepted(rule, said[start:end]):
                    return number
    return 0


def denied(rule: PatternRule, text: str, *, open_end: bool = False) -> str:
    """Why a text is objected to; empty: it is not. `open_end`: more of it follows, so that a match that ends
    with it may not be one."""
    number = _denied(rule, text, open_end=open_end)
    return f"deny {number} matches" if number else ""


def _excepted(rule: PatternRule, found: str) -> bool:
    return any(each.pattern.fullmatch(found) for each in rule.excepted)


def _allowed(rule: PatternRule, text: str) -> bool:
    said = text.strip()
    return any(each.pattern.fullmatch(said) for each in rule.allow)


def measure(rule: SizeRule, texts: Placed) -> Found:
    """Counts all texts together."""
    reason = too_much(
        rule, sum(len(seen.text) for _, seen in texts), sum(words(seen.text) for _, seen in texts)
    )
    return Found(reason=reason) if reason else NOTHING


def too_much(rule: SizeRule, chars: int, words_count: int) -> str:
    """Why so much is too much; empty: it is not."""
    if rule.chars_max is not None and chars > rule.chars_max:
        return f"more than {rule.chars_max} characters"
    if rule.words_max is not None and words_count > rule.words_max:
        return f"more than {rule.words_max} words"
    return ""


def words(text: str) -> int:
    """Words between white space."""
    return len(text.split())


def suspect(rule: InjectionRule, texts: Placed) -> Found:
    """Names the most suspicious text, its score and its signs."""
    worst, at = None, None
    for _, seen in texts:
        found = suspicion(seen.text)
        if worst is None or found.score > worst.score:
            worst, at = found, seen
    if worst is None or worst.score < rule.threshold:
        return NOTHING
    return Found(reason=f"score {worst.score:.2f} ({', '.join(sorted(worst.signs))})", at=at)
