"""How well providers' prompt caches are used, from sums, and where a route could use them better."""

from enum import Enum
from typing import Final, NamedTuple

from domain.routing.prompt_cache import CacheHabit, PromptCachingPolicy

ATTEMPTS_MIN: Final = 20
"""Fewer say nothing about a route."""
HIT_SHARE_POOR: Final = 0.1


class PromptCachingSums(NamedTuple):
    """Of the attempts of one model on one route. `saved_nano_usd` is over what is known."""

    requests: int
    attempts: int
    input_tokens: int
    cached_read_tokens: int
    cache_write_tokens: int
    saved_nano_usd: int
    unpriced_attempts: int
    """Those with a part in a prompt cache, of which nobody knows what it saved."""

    @property
    def hit_share(self) -> float | None:
        """The part of the input that was read from a prompt cache; None: there was no input."""
        return self.cached_read_tokens / self.input_tokens if self.input_tokens else None

    def plus(self, other: "PromptCachingSums") -> "PromptCachingSums":
        """Both together."""
        return PromptCachingSums(*(mine + more for mine, more in zip(self, other, strict=True)))


NO_SUMS: Final = PromptCachingSums(0, 0, 0, 0, 0, 0, 0)


class PromptCachingAdvice(Enum):
    """What would probably cost less."""

    SWITCH_ON = "switch_on"
    """`prompt_caching: auto`: prompts are long enough to be kept, and hardly anything of them is read.
    Whether they begin alike, sums do not tell."""
    WRITTEN_IN_VAIN = "written_in_vain"
    """More was paid for writing than reading saved: `off`, or the longer time to live."""


def advice_for(
    sums: PromptCachingSums, habit: CacheHabit, policy: PromptCachingPolicy
) -> PromptCachingAdvice | None:
    """None: as it is, or too little is known."""
    if sums.attempts < ATTEMPTS_MIN or not sums.input_tokens:
        return None
    if sums.saved_nano_usd < 0:
        return PromptCachingAdvice.WRITTEN_IN_VAIN
    could = habit.marks_max > 0 or habit.takes_key
    long_enough = sums.input_tokens >= habit.tokens_min * sums.attempts
    poor = sums.cached_read_tokens < HIT_SHARE_POOR * sums.input_tokens
    if could and long_enough and poor and not policy.marks:
        return PromptCachingAdvice.SWITCH_ON
    return None
