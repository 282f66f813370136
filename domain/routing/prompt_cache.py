"""What is known of providers' prompt caches: how each kind behaves, and what a target's answers taught.

A provider keeps the work it did on a prompt for a while and bills a later prompt with the same beginning
less. Whether it still has it is never told in advance; this is where the chance of it is estimated.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

PRIOR_WEIGHT = 4.0
"""How many answers a prior is worth."""
ANSWERS_REMEMBERED = 64.0
"""Beyond so many answers the older half counts half, so that a changed provider is noticed."""
SHORT_TTL_S = 300.0
LONG_TTL_S = 3600.0


class CacheHabit(NamedTuple):
    """How one kind of provider caches prompts.

    `prior` is the chance that a prompt used a moment ago is found again, before anything was learned.
    `ttl_s` and `long_ttl_s` are how long it is kept after its last use. `tokens_min` is the shortest
    prefix that is kept at all.
    """

    prior: float = 0.5
    ttl_s: float = SHORT_TTL_S
    long_ttl_s: float = LONG_TTL_S
    tokens_min: int = 1024
    by_mark: bool = False
    """Only what the caller marks is cached, and writing it may cost more than plain input."""
    strict_ttl: bool = False
    """Nothing survives the time to live; without it, what was kept fades rather than ends."""
    marks_max: int = 0
    """How many marks of ours one prompt may carry; 0: it takes none."""
    takes_key: bool = False
    """Whether it takes a key that brings prompts of one conversation to the same machine."""

    @property
    def keeps_long(self) -> bool:
        """Whether there is a longer time to live to choose."""
        return self.long_ttl_s > self.ttl_s


UNKNOWN_HABIT = CacheHabit()


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityPolicy:
    """How hard a route holds on to the target that answered a conversation last (docs/affinity.md).

    `ttl_s` replaces the providers' own times to live. `min_prefix_tokens` is the shortest warm prefix
    worth staying for. `min_gain` is the share by which another target must be better before a
    conversation moves. `latency_factor` says how many times longer than the best one's the expected wait
    may be (strategy latency); `quality_gain` how much better the best quality must be (strategy quality).
    """

    enabled: bool = True
    ttl_s: float | None = None
    min_prefix_tokens: int = 1024
    min_gain: float = 0.1
    latency_factor: float = 2.0
    quality_gain: float = 0.1


DEFAULT_POLICY = AffinityPolicy()


class PromptCaching(Enum):
    """Whether Interchange makes a route's prompts cacheable at their providers."""

    OFF = "off"
    """Bodies go as their callers made them."""
    AUTO = "auto"
    """What the provider needs is put in, unless the caller did something about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCachingPolicy:
    """A route's rules for the prompt caches of its providers (docs/prompt-caching.md).

    `tokens_min` is the shortest beginning that is marked; None: the least the model's provider keeps.
    `long` asks for the longer time to live where there is one. `retention` goes to providers that find
    beginnings by themselves, in their own words; empty: nothing is said.
    """

    mode: PromptCaching = PromptCaching.OFF
    tokens_min: int | None = None
    long: bool = False
    retention: str = ""

    @property
    def marks(self) -> bool:
        """Whether prompts are marked for providers that keep only what is marked."""
        return self.mode is PromptCaching.AUTO


NO_PROMPT_CACHING: Final = PromptCachingPolicy()


class CacheLearning:
    """How much of what should have been warm at one target its answers reported as read from the cache."""

    __slots__ = ("_answers", "_shares")

    def __init__(self) -> None:
        self._answers = 0.0
        self._shares = 0.0

    def observe(self, share: float) -> None:
        """Takes one answer: the share of the expected prefix that was billed as cached, 0 to 1."""
        if self._answers >= ANSWERS_REMEMBERED:
            self._answers /= 2
            self._shares /= 2
        self._answers += 1
        self._shares += min(1.0, max(0.0, share))

    def rate(self, prior: float) -> float:
        """The share to expect of a prompt used a moment ago; the prior fades as answers come in."""
        return (PRIOR_WEIGHT * prior + self._shares) / (PRIOR_WEIGHT + self._answers)


def kept_share(habit: CacheHabit, age_s: float, ttl_s: float) -> float:
    """The chance that a prompt used so long ago is still kept: 1 within the time to live, then fading."""
    if age_s <= ttl_s:
        return 1.0
    if habit.strict_ttl:
        return 0.0
    return float(0.5 ** min(64.0, (age_s - ttl_s) / ttl_s))
