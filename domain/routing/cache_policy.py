"""How a route's answers may be used again."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

TTL_S_DEFAULT: Final = 3600.0
TTL_S_MAX: Final = 90 * 86_400.0
"""No entry lives longer, so whatever was said about entries may be forgotten after that."""
ENTRY_BYTES_MAX_DEFAULT: Final = 1_000_000


class CacheMode(Enum):
    """What a route does with earlier answers."""

    OFF = "off"
    OBSERVE = "observe"
    """Nothing is served; everything is kept and measured, as `verified` would."""
    EXACT = "exact"
    VERIFIED = "verified"
    """Exact hits, and similar questions whose answer is right with the accepted certainty."""
    THRESHOLD = "threshold"
    """Exact hits, and whatever is similar enough: wrong answers are the operator's risk."""

    @property
    def serves(self) -> bool:
        """Whether any answer comes from the cache."""
        return self not in (CacheMode.OFF, CacheMode.OBSERVE)

    @property
    def looks_for_similar(self) -> bool:
        return self in (CacheMode.OBSERVE, CacheMode.VERIFIED, CacheMode.THRESHOLD)


class CacheScope(Enum):
    """Who shares answers. Nobody ever shares them across tenants."""

    TENANT = "tenant"
    USER = "user"
    """Answers that are about whoever asks: each user of the tenant has its own."""
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """A route's rules. Rates are shares of hits, times seconds.

    `error_rate` is the accepted share of wrong answers among hits on similar questions.
    `similarity_threshold` (cosine) picks candidates for those, and alone decides in mode `threshold`.
    """

    mode: CacheMode = CacheMode.OFF
    ttl_s: float = TTL_S_DEFAULT
    stale_s: float = 0.0
    """How long after its end an answer may still be served while a fresh one is fetched beside."""
    stale_if_error_s: float = 0.0
    """How long after its end it may stand in when no provider can answer."""
    scope: CacheScope = CacheScope.TENANT
    namespace: str = ""
    tags: tuple[str, ...] = ()
    tool_calls: bool = False
    """Whether answers that call tools are kept; similar questions never get one."""
    coalesce: bool = True
    """Whether identical requests that run at once share one call."""
    entry_bytes_max: int = ENTRY_BYTES_MAX_DEFAULT
    temperature_max: float | None = None
    """Requests that ask for more are not cached; None: all are."""
    error_rate: float = 0.01
    similarity_threshold: float = 0.9
    history_max: int = 2
    """Exchanges before the last question up to which similar questions are looked for; they must be equal."""
    audit_share: float = 0.02
    """Share of hits on similar questions that are asked again beside the request, to measure errors."""
    shadow_usd_per_day: float = 1.0
    """What such calls of this route may cost each tenant a day at most, per process."""


OFF: Final = CachePolicy()
