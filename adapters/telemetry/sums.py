"""What requests and attempts that are alike add up to: one look-up finds everything to be added to."""

from typing import Final

from adapters.telemetry.series import Counts
from domain.analytics.event import AttemptEvent

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
OVERHEAD_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
STAGE_SECONDS: Final = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5)
SIMILARITIES: Final = (0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99)


class RequestSums:
    """Requests of one target, route, operation, outcome, status and effect of the cache."""

    __slots__ = (
        "breaker_skips", "cost_nano_usd", "duration", "fallbacks", "first_token", "key", "priced", "requests",
        "saved_nano_usd", "unpriced_hits",
    )  # fmt: skip

    def __init__(self, key: "RequestKey", duration: Counts, first_token: Counts) -> None:
        self.key = key
        self.duration = duration
        """Of a histogram it shares with others of its route and outcome."""
        self.first_token = first_token
        self.requests = self.priced = self.cost_nano_usd = self.fallbacks = self.breaker_skips = 0
        self.saved_nano_usd = self.unpriced_hits = 0


RequestKey = tuple[str, str, str, str, str, int, str]
"""Provider, model, route, operation, outcome, status, effect of the cache."""
AttemptKey = tuple[str, str, str, str]
"""Provider, model, via, outcome."""


class AttemptSums:
    """Attempts of one target, way and outcome."""

    __slots__ = (
        "audio", "cache_written", "cached", "cost_nano_usd", "count", "duration", "first_token", "generated",
        "generating_us", "image", "input", "key", "output", "prompt_cache_saved_nano_usd", "reasoning",
        "unpriced",
    )  # fmt: skip

    def __init__(self, key: AttemptKey, duration: Counts, first_token: Counts) -> None:
        self.key = key
        self.duration = duration
        """Of a histogram it shares with others of its provider."""
        self.first_token = first_token
        self.count = self.input = self.output = self.cached = self.reasoning = 0
        self.cache_written = self.audio = self.image = self.generated = self.generating_us = 0
        self.cost_nano_usd = self.unpriced = self.prompt_cache_saved_nano_usd = 0

    def add(self, attempt: AttemptEvent) -> None:
        """One more, but for its times."""
        self.count += 1
        self.input += attempt.input_tokens
        self.output += attempt.output_tokens
        if attempt.cached_read_tokens:
            self.cached += attempt.cached_read_tokens
        if attempt.reasoning_tokens:
            self.reasoning += attempt.reasoning_tokens
        self.cache_written += attempt.cache_write_tokens + attempt.cache_write_long_tokens
        if attempt.audio_tokens:
            self.audio += attempt.audio_tokens
        if attempt.image_tokens:
            self.image += attempt.image_tokens
        if attempt.prompt_cache_saved_nano_usd:
            self.prompt_cache_saved_nano_usd += attempt.prompt_cache_saved_nano_usd
        if attempt.cost_nano_usd is None:
            self.unpriced += 1
        else:
            self.cost_nano_usd += attempt.cost_nano_usd
