"""Where the time of one request went, as parts that can be drawn one below the other.

Made from its wide event alone. Attempts have their real times. Stages have real durations; where a stage is
made of several pieces (money is held once per attempt, caches are asked before and after the plan), all of it
is shown where its first piece was.
"""

from typing import Final, NamedTuple

from domain.analytics.event import RequestEvent

STAGE: Final = "stage"
ATTEMPT: Final = "attempt"
MARK: Final = "mark"


class Part(NamedTuple):
    """One stage, attempt or moment. Times in microseconds; `start_us` counts from the request's head."""

    kind: str
    """`stage`, `attempt` or `mark`."""
    name: str
    """`entry`, `admit`, `queue`, `cache`, `plan`, `hold` or `finish`; `provider/model` of an attempt;
    `first token`."""
    start_us: int
    duration_us: int
    outcome: str
    """Of an attempt; empty for others."""


def timeline(event: RequestEvent) -> tuple[Part, ...]:
    """Its parts by their start; what took no time is left out. `queue` lies within `admit`."""
    begun = event.entry_us
    parts = [_stage("entry", 0, event.entry_us), _stage("admit", begun, event.admit_us)]
    parts.append(_stage("queue", begun, event.queue_us))
    at = begun + event.admit_us
    for name, took in (("cache", event.cache_us), ("plan", event.plan_us)):
        parts.append(_stage(name, at, took))
        at += took
    if event.hold_us:
        first = event.attempts[0].started_at_us - event.started_at_us + begun if event.attempts else at
        parts.append(_stage("hold", max(at, first - event.hold_us), event.hold_us))
        at += event.hold_us
    for attempt in event.attempts:
        start = attempt.started_at_us - event.started_at_us + begun
        target = f"{attempt.provider}/{attempt.model}"
        parts.append(Part(ATTEMPT, target, start, attempt.duration_us, attempt.outcome))
        at = max(at, start + attempt.duration_us)
    if event.first_token_us is not None:
        parts.append(Part(MARK, "first token", begun + event.first_token_us, 0, ""))
    parts.append(_stage("finish", at, begun + event.duration_us - at))
    shown = [part for part in parts if part.duration_us > 0 or part.kind != STAGE]
    return tuple(sorted(shown, key=lambda part: part.start_us))


def _stage(name: str, start_us: int, duration_us: int) -> Part:
    return Part(STAGE, name, start_us, duration_us, "")


class Decision(NamedTuple):
    """Why a request went where it did. Lists keep the order of the event."""

    route: str
    strategy: str
    candidates: int
    planned: tuple[str, ...]
    left_out: dict[str, int]
    """Reason: how many targets."""
    demands: dict[str, str]
    affinity: str
    reason: str
    fallbacks: int
    breaker_skips: int


def decision(event: RequestEvent) -> Decision:
    """What its texts say, taken apart."""
    return Decision(
        event.route,
        event.strategy,
        event.candidates,
        tuple(_items(event.planned)),
        {name: int(count) for name, count in _pairs(event.left_out) if count.isdecimal()},
        dict(_pairs(event.demands)),
        event.affinity,
        event.reason,
        event.fallbacks,
        event.breaker_skips,
    )


def _items(text: str) -> list[str]:
    return text.split(",") if text else []


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (item.partition("=") for item in _items(text))]
