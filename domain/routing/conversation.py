"""A conversation as routing sees it: where it was answered, and how much may still be warm there."""

from collections.abc import Callable
from typing import NamedTuple

from domain.routing.prompt_cache import AffinityPolicy

PLACES_MAX = 4
"""How many targets of one conversation are remembered."""
WARM_MIN = 0.2
"""Below this chance of a warm prefix there is nothing to stay for."""


class Place(NamedTuple):
    """Where a conversation was answered. Tokens are as the provider counted them."""

    target_id: str
    credential: str
    prefix_tokens: int
    """The longest prompt answered there."""
    cached_tokens: int
    """What of it was read from or written to the provider's cache."""
    long: bool
    """Whether it was cached for the longer time."""
    used_at_us: int
    """UTC epoch microseconds, so that instances and restarts agree."""

    @property
    def provider(self) -> str:
        return self.target_id.partition("/")[0]


class Conversation(NamedTuple):
    """One conversation when its next request comes. `places` are the newest first; none: it is new."""

    key: bytes
    places: tuple[Place, ...]
    marked: bool
    """Whether this request marks what shall be cached."""
    now_us: int


class Warm(NamedTuple):
    """What may be warm at one candidate: so many tokens, with this chance."""

    tokens: int
    probability: float


COLD = Warm(0, 0.0)


class Affinity(NamedTuple):
    """What a conversation's places mean to the candidates of one request."""

    conversation: Conversation
    policy: AffinityPolicy
    warm: dict[int, Warm]
    """By target index, newest place first; only eligible candidates with any chance."""

    @property
    def weighs(self) -> bool:
        """Whether any candidate may cost something else than it would cost another request."""
        return bool(self.warm) or self.conversation.marked

    def worth_staying(self, usable: Callable[[int], bool]) -> int | None:
        """The candidate to stay with, unless something better comes: the newest warm and usable one."""
        for index, warm in self.warm.items():
            if warm.probability >= WARM_MIN and usable(index):
                return index
        return None


class Verdict(NamedTuple):
    """What became of a conversation: `new`, `kept` or `moved`, and one line that says why."""

    outcome: str
    reason: str


NEW, KEPT, MOVED = "new", "kept", "moved"


def placed(places: tuple[Place, ...], new: Place, *, keep_s: float) -> tuple[Place, ...]:
    """The places with a new answer in front.

    A branch or a sub-agent may be shorter than what is warm already: of the same target the longer prefix
    counts, as long as it was used within `keep_s`.
    """
    for old in places:
        if old.target_id == new.target_id and new.used_at_us - old.used_at_us <= keep_s * 1e6:
            new = new._replace(
                prefix_tokens=max(old.prefix_tokens, new.prefix_tokens),
                cached_tokens=max(old.cached_tokens, new.cached_tokens),
                long=old.long or new.long,
                used_at_us=max(old.used_at_us, new.used_at_us),
            )
    others = [place for place in places if place.target_id != new.target_id]
    return tuple(sorted((new, *others), key=lambda place: -place.used_at_us)[:PLACES_MAX])
