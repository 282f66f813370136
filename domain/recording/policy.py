"""Whether the content of a request is kept. Nothing is, unless its route or its key says so."""

from typing import Final, NamedTuple

RETENTION_DAYS_DEFAULT: Final = 30
RETENTION_DAYS_MAX: Final = 3650
DAY_US: Final = 86_400_000_000


class RecordingPolicy(NamedTuple):
    """What is kept and how long. `sample` is the share of requests, 0 to 1, that are kept at all."""

    prompts: bool = False
    answers: bool = False
    retention_days: int = RETENTION_DAYS_DEFAULT
    sample: float = 1.0

    @property
    def records(self) -> bool:
        """Whether anything may be kept."""
        return (self.prompts or self.answers) and self.sample > 0


NOTHING_RECORDED: Final = RecordingPolicy()


def together(route: RecordingPolicy, key: RecordingPolicy) -> RecordingPolicy:
    """What holds where both have a say: each part that one of them wants, for the shorter time."""
    if not key.records:
        return route
    if not route.records:
        return key
    return RecordingPolicy(
        route.prompts or key.prompts,
        route.answers or key.answers,
        min(route.retention_days, key.retention_days),
        max(route.sample, key.sample),
    )


def drawn(policy: RecordingPolicy, draw: float) -> bool:
    """Whether a request is among the sample; `draw` is from 0 up to 1."""
    return policy.records and draw < policy.sample


def expires_at_us(policy: RecordingPolicy, now_us: int) -> int:
    """From when on it is gone."""
    return now_us + policy.retention_days * DAY_US
