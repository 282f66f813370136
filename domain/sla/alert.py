"""One alert, as a state machine that is told the time.

    inactive --breached--> pending --for `for_s`--> firing --clear for `resolve_s`--> inactive ("resolved")
                              |                        |
                              +--not breached--+       +--breached again: clear starts anew

Hysteresis: a firing alert is clear only beyond `clear_at`, which lies on the good side of its threshold.
Flapping: an alert that fired often within an hour stays until it was clear for `FLAPPING_CLEAR_S`, so that it
fires at most `FIRINGS_PER_HOUR_MAX` times an hour. Silence: the machine goes on, and nothing is told; what
still fires when the silence ends is told then. Who was told that it fires is told that it is over.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

US: Final = 1_000_000
HOUR_US: Final = 3600 * US
FLAPPING_AFTER: Final = 3
"""Firings within an hour, from which on an alert is held longer."""
FLAPPING_CLEAR_S: Final = 1800.0
FIRINGS_PER_HOUR_MAX: Final = FLAPPING_AFTER + 2
UNKNOWN_S: Final = 3600.0
"""After so long without anything to judge, a firing alert is over."""
SILENCE_S_MAX: Final = 30 * 86_400.0


class AlertState(StrEnum):
    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


class Verdict(StrEnum):
    """What a look says."""

    BREACHED = "breached"
    BETWEEN = "between"
    """Neither: no reason to fire, and none to say that it is over."""
    CLEAR = "clear"
    UNKNOWN = "unknown"
    """Nothing to judge, or too little."""


class Timing(NamedTuple):
    """How long it must be bad before it fires, and good before it is over; seconds."""

    for_s: float
    resolve_s: float


class Change(StrEnum):
    """What a step told the world."""

    FIRED = "fired"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """As it is kept. Times are UTC epoch microseconds; None: not so.

    `rule` is its name among rules, `subject` what it is about (a provider, a budget; empty: everything),
    `tenant_id` whose business it is. `value` and `threshold` are in the rule's unit, as they were last seen.
    """

    rule: str
    subject: str
    tenant_id: str
    state: AlertState = AlertState.INACTIVE
    since_us: int = 0
    """When it came into its state."""
    clear_since_us: int | None = None
    unknown_since_us: int | None = None
    fired_at_us: int | None = None
    resolved_at_us: int | None = None
    firings: tuple[int, ...] = ()
    """When it fired within the last hour."""
    episode: int = 0
    """How often it fired; names what is told."""
    told: bool = False
    """Whether this firing was told."""
    value: float | None = None
    threshold: float | None = None
    note: str = ""
    """One line for people: what is so, with figures."""
    silenced_until_us: int | None = None
    silenced_by: str = ""
    silence_reason: str = ""
    acknowledged_at_us: int | None = None
    acknowledged_by: str = ""
    revision: int = 0

    @property
    def alert_id(self) -> str:
        return alert_id(self.rule, self.subject, self.tenant_id)

    @property
    def firing(self) -> bool:
        return self.state is AlertState.FIRING

    def silenced(self, now_us: int) -> bool:
        """Whether nothing is told of it now."""
        return self.silenced_until_us is not None and now_us < self.silenced_until_us

    def kept(self, now_us: int) -> bool:
        """Whether there is anything to remember of it."""
        recently = bool(self.firings) and now_us - self.firings[-1] < HOUR_US
        return self.state is not AlertState.INACTIVE or recently or self.silenced(now_us)


def alert_id(rule: str, subject: str, tenant_id: str) -> str:
    """The same for the same rule, subject and tenant, for ever: it names the alert to pagers too."""
    digest = hashlib.sha256("\x1f".join((rule, subject, tenant_id)).encode("utf-8", "surrogatepass"))
    return f"al_{digest.hexdigest()[:24]}"


class Step(NamedTuple):
    """What a look made of an alert, and what is to be told of it, if anything."""

    alert: Alert
    change: Change | None


def step(alert: Alert, verdict: Verdict, timing: Timing, now_us: int) -> Step:
    """Told of one look. Looks come in order of time; one from before its last change counts as at it."""
    now_us = max(now_us, alert.since_us)
    alert = replace(alert, firings=tuple(at for at in alert.firings if now_us - at < HOUR_US))
    match alert.state:
        case AlertState.INACTIVE:
            if verdict is not Verdict.BREACHED:
                return Step(alert, None)
            pending = replace(
                alert, state=AlertState.PENDING, since_us=now_us, clear_since_us=None, unknown_since_us=None
            )
            return _fired(pending, timing, now_us)
        case AlertState.PENDING:
            if verdict is not Verdict.BREACHED:
                return Step(replace(alert, state=AlertState.INACTIVE, since_us=now_us), None)
            return _fired(alert, timing, now_us)
        case AlertState.FIRING:
            return _firing(alert, verdict, timing, now_us)


def _fired(alert: Alert, timing: Timing, now_us: int) -> Step:
    if now_us - alert.since_us < timing.for_s * US:
        return Step(alert, None)
    fired = replace(
        alert,
        state=AlertState.FIRING,
        since_us=now_us,
        fired_at_us=now_us,
        resolved_at_us=None,
        firings=(*alert.firings, now_us),
        episode=alert.episode + 1,
        told=False,
    )
    return _tell(fired, now_us)


def _firing(alert: Alert, verdict: Verdict, timing: Timing, now_us: int) -> Step:
    unknown_since = (alert.unknown_since_us or now_us) if verdict is Verdict.UNKNOWN else None
    # What nobody can judge is neither good nor bad: it does not count as time in which all was well.
    clear_since = (alert.clear_since_us or now_us) if verdict is Verdict.CLEAR else None
    alert = replace(alert, clear_since_us=clear_since, unknown_since_us=unknown_since)
    flapping = len(alert.firings) >= FLAPPING_AFTER
    resolve_s = max(timing.resolve_s, FLAPPING_CLEAR_S) if flapping else timing.resolve_s
    clear = clear_since is not None and now_us - clear_since >= resolve_s * US
    gone = unknown_since is not None and now_us - unknown_since >= UNKNOWN_S * US
    if not clear and not gone:
        return _tell(alert, now_us)
    told = alert.told
    over = replace(
        alert,
        state=AlertState.INACTIVE,
        since_us=now_us,
        clear_since_us=None,
        unknown_since_us=None,
        resolved_at_us=now_us,
        told=False,
        acknowledged_at_us=None,
        acknowledged_by="",
    )
    return Step(over, Change.RESOLVED if told else None)


def _tell(alert: Alert, now_us: int) -> Step:
    if alert.told or alert.silenced(now_us):
        return Step(alert, None)
    return Step(replace(alert, told=True), Change.FIRED)
