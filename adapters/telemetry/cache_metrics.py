"""What answer caches and prompt caches did, folded from the same events."""

from collections.abc import Iterable
from typing import Final

from adapters.telemetry.series import Counter, Histogram
from domain.analytics.event import RequestEvent
from domain.caching.effect import HIT_KINDS, HIT_SEMANTIC, NO_CACHE
from domain.money import NANO_PER_USD

SIMILARITIES: Final = (0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99)


class CacheMetrics:
    """By route and closed lists. A route without a cache costs one comparison per event."""

    def __init__(self) -> None:
        self._requests = Counter(
            "interchange_cache_requests_total",
            "Requests of routes that cache, by what the cache did.",
            ("route", "outcome"),
        )
        self._saved = Counter(
            "interchange_cache_saved_usd_total",
            "What hits would have cost, where that is known.",
            ("route", "kind"),
            NANO_PER_USD,
        )
        self._unpriced = Counter(
            "interchange_cache_unpriced_hits_total",
            "Hits of which nobody knows what they saved.",
            ("route", "kind"),
        )
        self._similarity = Histogram(
            "interchange_cache_similarity",
            "Cosine of similar questions to those whose answer was served.",
            ("route",),
            SIMILARITIES,
        )

    def observe(self, event: RequestEvent) -> None:
        """Takes one request."""
        effect = event.cache
        if effect == NO_CACHE:
            return
        self._requests.add((event.route, effect))
        kind = HIT_KINDS.get(effect)
        if kind is None:
            return
        if event.saved_nano_usd is None:
            self._unpriced.add((event.route, kind.value))
        else:
            self._saved.add((event.route, kind.value), event.saved_nano_usd)
        if effect == HIT_SEMANTIC and event.cache_similarity is not None:
            self._similarity.observe((event.route,), event.cache_similarity)

    def all(self) -> Iterable[Counter | Histogram]:
        """For the page."""
        return self._requests, self._saved, self._unpriced, self._similarity
