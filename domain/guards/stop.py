"""Stops: whose requests are refused until further notice, in whose name, and for how long."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from domain.errors import InvalidRequest
from domain.tenancy.key import is_key_id

VALUE_LENGTH_MAX: Final = 256
REASON_LENGTH_MAX: Final = 500
STOP_FOR_S_MAX: Final = 366 * 86_400.0


class StopCause(Enum):
    """Who or what made a stop; a closed list, so that it can label a metric."""

    OPERATOR = "operator"
    REPEATED_TOOL_CALL = "repeated_tool_call"
    SPEND_RATE = "spend_rate"
    STEPS_WITHOUT_USER = "steps_without_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSubject:
    """Whose requests are meant: those that agree in every field that is not empty."""

    agent_id: str = ""
    session_id: str = ""
    user_id: str = ""
    key_id: str = ""
    workflow_id: str = ""
    route: str = ""

    def named(self) -> tuple[tuple[str, str], ...]:
        """(field, value) of what narrows it; empty: nobody is meant."""
        return tuple((name, value) for name in SUBJECT_FIELDS if (value := getattr(self, name)))

    def covers(self, asking: "StopSubject") -> bool:
        """Whether a request of `asking`, with all that is known of it, is meant."""
        named = self.named()
        return bool(named) and all(getattr(asking, name) == value for name, value in named)

    def __str__(self) -> str:
        words = (f"{name.removesuffix('_id')} {value!r}" for name, value in self.named())
        return ", ".join(words) or "nobody"


SUBJECT_FIELDS: Final = tuple(each.name for each in fields(StopSubject))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Requests of `subject` in this tenant are refused from `created_at` until it ends or is lifted.

    `ends_running`: those that run end too. `by` is the id of the key that made it, or the guard's name.
    `evidence` is what a guard had seen (see `forgiven`). Times are aware UTC; `expires_at` None: until
    lifted.
    """

    stop_id: str
    tenant_id: str
    subject: StopSubject
    cause: StopCause
    reason: str
    by: str
    created_at: datetime
    expires_at: datetime | None = None
    ends_running: bool = False
    lifted_at: datetime | None = None
    lifted_by: str = ""
    evidence: str = ""

    def in_force(self, now: datetime) -> bool:
        """Whether it refuses requests at `now`."""
        return self.lifted_at is None and (self.expires_at is None or now < self.expires_at)

    def ended_at(self) -> datetime | None:
        """When it ended or will end; None: nobody knows yet."""
        return self.expires_at if self.lifted_at is None else self.lifted_at


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStop:
    """What is asked for. `for_s` None: until lifted."""

    tenant_id: str
    subject: StopSubject
    reason: str = ""
    for_s: float | None = None
    ends_running: bool = False


def check_new_stop(new: NewStop) -> None:
    """Raises InvalidRequest that names the field, what was wrong and what is allowed."""
    named = new.subject.named()
    if not named:
        raise InvalidRequest(
            f"nobody is named: give at least one of {', '.join(SUBJECT_FIELDS)}", param="agent_id"
        )
    for name, value in named:
        if len(value) > VALUE_LENGTH_MAX or not value.isprintable():
            raise InvalidRequest(f"{name} must be 1-{VALUE_LENGTH_MAX} printable characters", param=name)
    if new.subject.key_id and not is_key_id(new.subject.key_id):
        raise InvalidRequest(
            "key_id must be a key's id, 12 letters and digits as `interchange keys list` shows them; "
            f"{new.subject.key_id[:60]!r} would stop nobody",
            param="key_id",
        )
    if len(new.reason) > REASON_LENGTH_MAX or not new.reason.isprintable():
        raise InvalidRequest(
            f"reason must be at most {REASON_LENGTH_MAX} printable characters", param="reason"
        )
    if new.for_s is not None and not 0 < new.for_s <= STOP_FOR_S_MAX:
        raise InvalidRequest(
            f"for_s must be above 0 and at most {STOP_FOR_S_MAX:.0f} seconds, or left out", param="for_s"
        )


def end_of(now: datetime, for_s: float | None) -> datetime | None:
    """When a stop made at `now` ends by itself; None: never."""
    return None if for_s is None else now + timedelta(seconds=for_s)


def refusal_text(stop: Stop) -> str:
    """Why a request is refused and who can change that, for the caller."""
    until = "until it is lifted" if stop.expires_at is None else f"until {stop.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    why = f": {stop.reason}" if stop.reason else ""
    return (
        f"{stop.subject} is stopped {until}{why}. Whoever may stop agents (permission agents.stop) lifts it: "
        f"interchange stop --lift {stop.stop_id}"
    )
