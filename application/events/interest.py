"""Who wants which events, answered from memory.

Events of single requests are written only where somebody subscribed, so that nobody pays for what nobody
reads. A subscription made anywhere is known here with the next refresh.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from domain.events import any_means

LOOK_EVERY_S: Final = 1.0
EVERYBODY: Final = "*"
"""A subscription to the events of all tenants; no tenant can be called so."""


class Subscription(NamedTuple):
    """Somebody wants what these patterns mean, of this tenant (`EVERYBODY`: of each)."""

    tenant_id: str
    patterns: tuple[str, ...]


Subscriptions = Callable[[], Awaitable[Sequence[Subscription]]]
"""Those there are now. Raises StoreUnavailable."""


class Interest:
    """`wants` may be asked from any thread: what it reads is swapped whole."""

    def __init__(self, always: Sequence[str] = (), sources: Sequence[Subscriptions] = ()) -> None:
        """`always` are patterns that are wanted of every tenant."""
        self._always = tuple(always)
        self._sources = list(sources)
        self._known: Mapping[str, frozenset[str]] | None = None

    @property
    def always(self) -> tuple[str, ...]:
        """Patterns that are wanted of every tenant."""
        return self._always

    @property
    def known(self) -> Mapping[str, frozenset[str]] | None:
        """Patterns by tenant, as of the last refresh; swapped whole. None: nobody could be asked yet."""
        return self._known

    def know(self, known: Mapping[str, frozenset[str]] | None) -> None:
        """What another process knows of subscriptions, in place of a refresh."""
        self._known = known

    def add_source(self, source: Subscriptions) -> None:
        """Asked from the next refresh on."""
        self._sources.append(source)

    def want(self, tenant_id: str, patterns: tuple[str, ...]) -> None:
        """Somebody here does: known at once, and from the next refresh on as their source says."""
        known = dict(self._known or {})
        known[tenant_id] = known.get(tenant_id, frozenset()) | frozenset(patterns)
        if self._known is not None:
            self._known = known

    def wants(self, tenant_id: str, topic: str) -> bool:
        """Whether an event of this name has a reader. True as long as nobody could be asked."""
        known = self._known
        if known is None or any_means(self._always, topic):
            return True
        return any_means(known.get(tenant_id, ()), topic) or any_means(known.get(EVERYBODY, ()), topic)

    async def refresh(self) -> None:
        """Raises StoreUnavailable; what was known before holds."""
        known: dict[str, frozenset[str]] = {}
        for source in self._sources:
            for tenant_id, patterns in await source():
                known[tenant_id] = known.get(tenant_id, frozenset()) | frozenset(patterns)
        self._known = known
