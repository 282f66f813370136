"""What the answer cache did to a request, in the words of usage rows, metrics and headers."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

NO_CACHE: Final = "off"
"""The route caches nothing."""
BYPASS: Final = "bypass"
"""The caller wanted none, or requests of this kind take no part."""
MISS: Final = "miss"
OBSERVE: Final = "observe"
"""Nothing was served, only measured."""
SHADOW: Final = "shadow"
"""It is a copy for a shadow of an experiment: no answer was looked for, none is kept, nobody waited."""
HIT_L1: Final = "hit-l1"
HIT_L2: Final = "hit-l2"
HIT_SEMANTIC: Final = "hit-semantic"
HIT_COALESCED: Final = "hit-coalesced"
HIT_STALE: Final = "hit-stale"


class HitKind(Enum):
    """What made a call unnecessary."""

    EXACT = "exact"
    """The same question was answered before."""
    SEMANTIC = "semantic"
    """A similar one was."""
    COALESCED = "coalesced"
    """The same question was being answered for somebody else."""
    STALE = "stale"
    """The same question was answered, longer ago than answers are fresh."""


HIT_KINDS: Final[Mapping[str, HitKind]] = {
    HIT_L1: HitKind.EXACT,
    HIT_L2: HitKind.EXACT,
    HIT_SEMANTIC: HitKind.SEMANTIC,
    HIT_COALESCED: HitKind.COALESCED,
    HIT_STALE: HitKind.STALE,
}
HITS: Final = frozenset(HIT_KINDS)
LOOKUPS: Final = HITS | {MISS}
"""Requests that could have been answered without a call; hits are counted as a share of these."""
EFFECTS: Final = (NO_CACHE, BYPASS, MISS, OBSERVE, *HIT_KINDS)
"""All there are, so that whatever counts by them is bounded."""
