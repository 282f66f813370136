"""A recommendation: one change that would probably cost less or go better, with what it rests on.

The published entity CostOptimization. The same advice about the same thing has the same id for ever, so that
looking again refreshes its figures and keeps what people decided about it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from domain.analytics.costs import uuid_of
from domain.analytics.estimate import Estimate
from domain.money import format_usd

MONTH_DAYS: Final = 30
EVIDENCE_CHARS_MAX: Final = 16_384
SENTENCE_CHARS_MAX: Final = 600
FOUND_MAX: Final = 200
"""Of one tenant; those that save most are kept."""


class Kind(Enum):
    """What is advised."""

    MOVE = "move"
    """Let another model answer a route."""
    CACHE = "cache"
    PROMPT_CACHING = "prompt_caching"
    LOWER_MAX_TOKENS = "lower_max_tokens"
    RAISE_MAX_TOKENS = "raise_max_tokens"
    UNUSED_ROUTE = "unused_route"
    UNUSED_INTEGRATION = "unused_integration"
    UNRELIABLE_PROVIDER = "unreliable_provider"
    BATCH = "batch"
    COMMITMENT = "commitment"
    """A volume discount for what a provider is paid steadily."""
    RESERVED_CAPACITY = "reserved_capacity"
    """Capacity that is paid by the hour, for a model that is busy at nearly all hours."""
    LOOSE_BUDGET = "loose_budget"
    """A limit so far from what is used that it bounds nothing."""
    TIGHT_BUDGET = "tight_budget"
    """A limit that is used up long before its period ends, again and again."""
    OUTLIER = "outlier"
    """A key or an agent whose requests cost far more than others'."""


class Status(Enum):
    """What became of it."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    DONE = "done"
    """Accepted, and its reason is gone."""
    EXPIRED = "expired"
    """Its reason is gone, and nobody had accepted it."""


DECIDED: Final = (Status.OPEN, Status.ACCEPTED, Status.DISMISSED)
"""What people may set; the others follow from looking again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What one look found. `subject` names what it is about, the same each time; `saving` is per month of 30
    days, None where it saves nothing that can be told. `integration_id` is the provider it belongs to."""

    kind: Kind
    subject: str
    sentence: str
    evidence: Mapping[str, Any]
    saving: Estimate | None = None
    integration_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One tenant's. Times are UTC epoch microseconds. `analytics_id` is of the UsageAnalytics it belongs to:
    that of the provider and the time that was looked at."""

    optimization_id: str
    tenant_id: str
    analytics_id: str
    kind: Kind
    subject: str
    sentence: str
    evidence: Mapping[str, Any]
    saving: Estimate | None
    status: Status
    created_at_us: int
    seen_at_us: int
    """When a look last found its reason."""
    decided_at_us: int | None = None
    decided_by: str = ""
    """Id of the key."""


def optimization_id(tenant_id: str, kind: Kind, subject: str) -> str:
    """A UUID, the same for the same advice in the same tenant."""
    return uuid_of(f"{tenant_id}/{kind.value}/{subject}")


def as_seen(known: Recommendation | None, new: Recommendation) -> Recommendation:
    """What is kept after a look found it: new figures, and what was decided before.

    What had expired, or was done and is wanted again, is open again.
    """
    if known is None:
        return new
    again = known.status in (Status.EXPIRED, Status.DONE)
    return replace(
        new,
        created_at_us=known.created_at_us,
        status=Status.OPEN if again else known.status,
        decided_at_us=None if again else known.decided_at_us,
        decided_by="" if again else known.decided_by,
    )


def as_gone(known: Recommendation) -> Recommendation:
    """What is kept after a look did not find it."""
    gone = {Status.OPEN: Status.EXPIRED, Status.ACCEPTED: Status.DONE}
    return replace(known, status=gone.get(known.status, known.status))


def most_worth(found: Iterable[Advice]) -> list[Advice]:
    """At most FOUND_MAX, the biggest savings first; one of each subject."""
    unique = {(one.kind, one.subject): one for one in found}
    ordered = sorted(
        unique.values(),
        key=lambda one: (-(one.saving.expected if one.saving else 0), one.kind.value, one.subject),
    )
    return ordered[:FOUND_MAX]


def subject_of(**parts: str) -> str:
    """Names in a fixed order; long ones by their digest, so that an index holds them."""
    text = " ".join(f"{name}={value}" for name, value in parts.items())
    if len(text) <= 300:
        return text
    return f"{text[:200]}#{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}"


def usd(amount: int) -> str:
    """For sentences: two digits behind the point, more below a dollar."""
    dollars = amount / 1_000_000_000
    if abs(dollars) >= 1 or not amount:
        return f"${dollars:,.2f}"
    return f"${float(f'{dollars:.2g}'):f}".rstrip("0").rstrip(".")


def saves(saving: Estimate) -> str:
    """`saves $12.00 (10.20 to 13.80) per month`."""
    if saving.exact:
        return f"saves {usd(saving.expected)} per month"
    return f"saves {usd(saving.expected)} ({usd(saving.low)} to {usd(saving.high)}) per month"


def amounts(saving: Estimate) -> dict[str, Any]:
    """For evidence: exact, as text and as nano-dollars."""
    return {
        "low_usd": format_usd(saving.low),
        "expected_usd": format_usd(saving.expected),
        "high_usd": format_usd(saving.high),
        "expected_nano_usd": saving.expected,
        "low_nano_usd": saving.low,
        "high_nano_usd": saving.high,
    }


def names(values: Sequence[str], most: int = 5) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
