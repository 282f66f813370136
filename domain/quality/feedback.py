"""What somebody says of one answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.errors import InvalidRequest

COMMENT_CHARS_MAX: Final = 2_000
SOURCE_CHARS_MAX: Final = 64
LABEL_CHARS_MAX: Final = 64
RATING_MAX: Final = 5
THUMBS: Final[Mapping[str, float]] = {"up": 1.0, "down": 0.0}
LABELS: Final[Mapping[str, float]] = {
    "accepted": 1.0,
    "correct": 1.0,
    "good": 1.0,
    "helpful": 1.0,
    "bad": 0.0,
    "incorrect": 0.0,
    "rejected": 0.0,
    "unhelpful": 0.0,
    "unsafe": 0.0,
}
"""Labels that are worth a score. Any other is kept and counted, and says nothing about quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`kind` says how it was given: `rating`, `thumbs`, `score` or `label`; `said` is it as given. `score` is
    what it is worth, 0 to 1; None: a label that means nothing here."""

    kind: str
    said: str
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One for each request, key and source; a later one takes the place of an earlier one.

    What is not said by whoever gives it is copied from the request, so that it counts for whoever answered.
    Times are UTC epoch microseconds.
    """

    tenant_id: str
    request_id: str
    key_id: str
    source: str
    """Who said it, in the words of the caller, such as `reviewer`; empty: the caller itself."""
    verdict: Verdict
    comment: str
    given_at_us: int
    asked_at_us: int
    """When the request came."""
    user_id: str = ""
    agent_id: str = ""
    provider: str = ""
    model: str = ""
    task: str = ""
    route: str = ""


def verdict_of(
    *,
    rating: int | None = None,
    thumbs: str | None = None,
    score: float | None = None,
    label: str | None = None,
) -> Verdict:
    """Exactly one of them. Raises InvalidRequest, naming the field."""
    given = {"rating": rating, "thumbs": thumbs, "score": score, "label": label}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InvalidRequest(
            "give exactly one of rating (1-5), thumbs (up, down), score (0-1) and label",
            param=names[1] if names else "rating",
        )
    if rating is not None:
        if not 1 <= rating <= RATING_MAX:
            raise InvalidRequest(f"rating must be 1-{RATING_MAX}, not {rating}", param="rating")
        return Verdict(kind="rating", said=str(rating), score=(rating - 1) / (RATING_MAX - 1))
    if thumbs is not None:
        if thumbs not in THUMBS:
            raise InvalidRequest("thumbs must be up or down", param="thumbs")
        return Verdict(kind="thumbs", said=thumbs, score=THUMBS[thumbs])
    if score is not None:
        if not 0 <= score <= 1:  # also refuses what is no number
            raise InvalidRequest("score must be from 0 to 1", param="score")
        return Verdict(kind="score", said=f"{score:g}", score=float(score))
    word = (label or "").strip().lower()
    check_word(word, "label", LABEL_CHARS_MAX)
    if not word:
        raise InvalidRequest("label must not be empty", param="label")
    return Verdict(kind="label", said=word, score=LABELS.get(word))


def check_word(text: str, name: str, chars_max: int) -> str:
    """A short text on one line. Raises InvalidRequest."""
    if len(text) > chars_max:
        raise InvalidRequest(f"{name} may have {chars_max} characters, not {len(text)}", param=name)
    if not text.isprintable():
        raise InvalidRequest(f"{name} must be printable and on one line", param=name)
    return text
