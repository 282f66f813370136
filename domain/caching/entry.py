"""A kept answer, and how fresh it is."""

from enum import Enum
from typing import NamedTuple


class Position(NamedTuple):
    """How far an instance has heard what all of them tell each other. Numbers of different epochs cannot be
    compared: the log was lost between them."""

    epoch: str
    number: int


NOWHERE = Position("", 0)


class CachedAnswer(NamedTuple):
    """One complete answer in its caller's dialect. Times are UTC epoch microseconds.

    `body` is the unary body, or every frame of a stream but what follows a complete answer (cost note and
    end marker). `cost_nano_usd` is what it cost, so what a hit saves; None: unknown. `heard` is how far the
    instance that asked for it had heard when it asked: whatever was invalidated later does not allow it.
    """

    key: bytes
    tenant_id: str
    route: str
    namespace: str
    tags: tuple[str, ...]
    dialect: str
    streamed: bool
    body: bytes
    content_type: str
    finish_reason: str
    target_id: str
    provider: str
    model: str
    region: str
    simulated: bool
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    made_at_us: int
    expires_at_us: int
    kept_until_us: int
    """End of its life as a stale answer, too; no store keeps it longer."""
    heard: Position
    text: str = ""
    """The answer's plain text, where streams are replayed or answers compared."""
    question: str = ""
    """The last message of the user, where similar questions are looked for."""
    dropped: tuple[str, ...] = ()
    via: str = ""

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        texts = sum(len(text) * (1 if text.isascii() else 4) for text in (self.text, self.question))
        return len(self.body) + texts + ENTRY_OVERHEAD_BYTES


ENTRY_OVERHEAD_BYTES = 2_000
"""Of one entry's tuple, texts, keys and bookkeeping; measured in `tests/unit/caching`."""


class Freshness(Enum):
    FRESH = "fresh"
    STALE = "stale"
    """Past its time, but within what the route allows while a fresh answer is fetched."""
    FOR_ERRORS = "for_errors"
    """May only stand in when nobody can answer."""
    OVER = "over"


def freshness(
    answer: CachedAnswer, now_us: int, *, stale_s: float, stale_if_error_s: float, age_max_s: float | None
) -> Freshness:
    """Whether an answer may still be served. `age_max_s` is the caller's own bound; None: it has none."""
    past_s = (now_us - answer.expires_at_us) / 1e6
    if age_max_s is not None:
        past_s = max(past_s, (now_us - answer.made_at_us) / 1e6 - age_max_s)
    if past_s < 0:
        return Freshness.FRESH
    if past_s < stale_s and age_max_s is None:
        return Freshness.STALE
    return Freshness.FOR_ERRORS if past_s < stale_if_error_s else Freshness.OVER
