"""What is left of a key's limits, as providers tell it in headers.

OpenAI's shape (`x-ratelimit-remaining-requests: 59`, `x-ratelimit-reset-tokens: 6m0.5s`), also spoken by
Groq, Azure and many compatible servers, and Anthropic's (`anthropic-ratelimit-tokens-remaining`, reset as a
date). Sources: OpenAI "Rate limits, in headers", Anthropic "Rate limits, response headers".
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain.resilience.key_pool import Headroom

_OPENAI: Final = "x-ratelimit-"
_ANTHROPIC: Final = "anthropic-ratelimit-"
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
RESET_MAX_S: Final = 86_400.0


def read_headroom(headers: Sequence[tuple[str, str]], utc_now: datetime) -> Headroom | None:
    """What an answer's headers tell of the limits; None when they tell nothing. Never raises."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(_OPENAI):
            found[name[len(_OPENAI) :]] = value
        elif name.startswith(_ANTHROPIC):
            # tokens-remaining -> remaining-tokens
            subject, _, what = name[len(_ANTHROPIC) :].rpartition("-")
            found[f"{what}-{subject}"] = value
    if not found:
        return None
    return Headroom(
        _whole(found.get("limit-requests")),
        _whole(found.get("remaining-requests")),
        _reset_s(found.get("reset-requests"), utc_now),
        _whole(found.get("limit-tokens")),
        _whole(found.get("remaining-tokens")),
        _reset_s(found.get("reset-tokens"), utc_now),
    )


def exhausted_for_s(told: Headroom | None) -> float | None:
    """Seconds until every limit that is used up is full again; None: no such limit was told."""
    if told is None:
        return None
    requests_s = told.requests_reset_s if told.requests_left == 0 else None
    tokens_s = told.tokens_reset_s if told.tokens_left == 0 else None
    waits = [wait_s for wait_s in (requests_s, tokens_s) if wait_s is not None]
    return max(waits, default=None)


def _whole(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 15:
        return None
    return int(text)


def _reset_s(text: str | None, utc_now: datetime) -> float | None:
    """Seconds from `1s`, `6m0s`, `20ms`, plain seconds or an RFC 3339 date."""
    if not text:
        return None
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    else:
        try:
            seconds = float(text)
        except ValueError:
            try:
                seconds = (datetime.fromisoformat(text) - utc_now).total_seconds()
            except (ValueError, TypeError):
                return None
    return min(max(seconds, 0.0), RESET_MAX_S) if seconds == seconds else None
