"""What the cache knows of one request while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from domain.caching.entry import CachedAnswer, Position
from domain.caching.key import Partition
from domain.caching.policy import CachePolicy, CacheWish
from domain.errors import InterchangeError
from domain.routing.table import RoutingTable
from domain.routing.target import Route


class Place(NamedTuple):
    """A question among all others that may be compared with it."""

    partition: bytes
    vector: bytes
    text: str


class Candidate(NamedTuple):
    """`features` describe the pair of questions (`domain.caching.pair_features`); `guarded` is why a guard
    takes them for different ones, empty: none does."""

    kept: CachedAnswer
    similarity: float
    features: tuple[float, ...]
    guarded: str
    served: bool
    """Whether its answer is given."""
    would_serve: bool = False
    """Whether it is as certain as the route wants, also where nothing is served."""
    p_low: float | None = None
    """The lower bound of the chance that the answer is right; None: nobody judged."""
    reason: str = ""
    """In one word, what decided."""


class Ending(Protocol):
    """What a request leads that others may still wait for when its own caller is gone."""

    def end_later(self, later: Callable[[], None]) -> bool:
        """Takes over the recording of the request, unless nothing runs any more."""
        ...


@dataclass(slots=True, kw_only=True)
class CacheCourse:
    """Made when a request begins that may be answered, or whose answer may be kept."""

    table: RoutingTable
    route: Route
    policy: CachePolicy
    wish: CacheWish
    partition: Partition
    key: bytes
    heard: Position
    """How far this instance had heard of invalidations when the request began."""
    hit: CachedAnswer | None = None
    """What it is answered with."""
    stand_in: CachedAnswer | None = None
    """An answer past its time, for when nobody can give a fresh one."""
    earlier: CachedAnswer | None = None
    """What would have answered it, where a route only observes."""
    unplanned: InterchangeError | None = None
    """Why nobody could be asked, raised unless something kept can answer."""
    question: str = ""
    """The last message of the user, once it was read."""
    place: Place | None = None
    """Where its question stands among others, once that was found out."""
    candidate: Candidate | None = None
    """The nearest similar question, whose answer was not served."""
    unkept: str = ""
    """Why its answer was not kept, in one word."""
    alone: bool = False
    """Whether it shares no running call: for whoever writes down by itself what it sends."""
    shared: Ending | None = None
    """The call it leads."""
    beside: str = ""
    """Why it runs beside callers' requests: `refresh` or `audit`; empty: a caller asked."""

    @property
    def reads(self) -> bool:
        """Whether an earlier answer may be served."""
        return self.policy.mode.serves and not self.wish.no_cache and not self.beside
