"""What the cache knows of one request while it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.caching.candidate import Candidate
from domain.caching.entry import CachedAnswer, Position
from domain.caching.key import Partition
from domain.caching.policy import CachePolicy, CacheWish
from domain.errors import InterchangeError
from domain.routing.table import RoutingTable
from domain.routing.target import Route

if TYPE_CHECKING:
    from application.caching.shared_call import SharedCall


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
    unplanned: InterchangeError | None = None
    """Why nobody could be asked, raised unless something kept can answer."""
    question: str = ""
    """The last message of the user, once it was read."""
    candidate: Candidate | None = None
    """The nearest similar question, whose answer was not served."""
    shared: "SharedCall | None" = None
    """The call it leads."""
    beside: str = ""
    """Why it runs beside callers' requests: `refresh` or `audit`; empty: a caller asked."""

    @property
    def reads(self) -> bool:
        """Whether an earlier answer may be served."""
        return self.policy.mode.serves and not self.wish.no_cache and not self.beside
