"""An endpoint: where a tenant wants events sent, which, and how fast."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from domain.errors import InvalidConfiguration
from domain.webhooks.delivery import Outcome
from domain.webhooks.filter import EventFilter
from domain.webhooks.format import WebhookFormat
from domain.webhooks.health import DISABLED_AFTER_S, WELL, FailureRun

ENDPOINTS_PER_TENANT_MAX: Final = 100
URL_LENGTH_MAX: Final = 2000
DESCRIPTION_LENGTH_MAX: Final = 200
CONCURRENCY: Final = 4
CONCURRENCY_MAX: Final = 32
RATE_PER_S_MAX: Final = 1000.0
FILE_ID: Final = "wh_file_"
"""Ids of endpoints that the configuration file declares begin so; their name follows."""
OWN_TOPICS: Final = "webhook."
"""What is told about webhooks themselves: a delivery of it that fails tells nothing more."""


class EndpointState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    """By somebody; events are kept for it meanwhile."""
    DISABLED = "disabled"
    """It takes nothing any more; events pass it by until somebody resumes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTerms:
    """What its owner says of an endpoint.

    `ordered`: one event at a time, in their order; the next waits until the one before arrived or is given
    up. `rate_per_s` None: as fast as it answers. `concurrency` is how many are under way at once. Both hold
    per process. Raises InvalidConfiguration, naming the field.
    """

    url: str
    filter: EventFilter = field(default_factory=EventFilter)
    ordered: bool = False
    rate_per_s: float | None = None
    concurrency: int = CONCURRENCY
    description: str = ""
    format: WebhookFormat = WebhookFormat.STANDARD

    def __post_init__(self) -> None:
        if not 1 <= len(self.url) <= URL_LENGTH_MAX:
            raise InvalidConfiguration(f"a URL has 1 to {URL_LENGTH_MAX} characters", param="url")
        if not 1 <= self.concurrency <= CONCURRENCY_MAX:
            raise InvalidConfiguration(f"concurrency is 1 to {CONCURRENCY_MAX}", param="concurrency")
        if self.rate_per_s is not None and not 0.01 <= self.rate_per_s <= RATE_PER_S_MAX:
            raise InvalidConfiguration(f"rate_per_s is 0.01 to {RATE_PER_S_MAX:g}", param="rate_per_s")
        if len(self.description) > DESCRIPTION_LENGTH_MAX or not self.description.isprintable():
            raise InvalidConfiguration(
                f"a description is one line of at most {DESCRIPTION_LENGTH_MAX} characters",
                param="description",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """As it is stored. `revision` rises with every change of it or its secret; `reason` says why it is
    disabled. Times are UTC epoch microseconds."""

    endpoint_id: str
    tenant_id: str
    terms: EndpointTerms
    state: EndpointState = EndpointState.ACTIVE
    reason: str = ""
    failing: FailureRun = WELL
    declared: bool = False
    created_at_us: int = 0
    updated_at_us: int = 0
    revision: int = 1

    def takes_in(self) -> bool:
        """Whether events are kept for it."""
        return self.state is not EndpointState.DISABLED

    def after(self, outcome: Outcome, now_s: float, disabled_after_s: float = DISABLED_AFTER_S) -> "Endpoint":
        """How it stands once an attempt ended; the same object where nothing changed. What was never sent
        says nothing about an endpoint."""
        if outcome in (Outcome.TOO_LARGE, Outcome.EXPIRED) or self.state is EndpointState.DISABLED:
            return self
        if outcome is Outcome.DELIVERED:
            return self if self.failing == WELL else replace(self, failing=WELL)
        if outcome is Outcome.GONE:
            return self.disabled("it answered 410: it is gone")
        failing = self.failing.failed(now_s)
        if failing.is_over(now_s, disabled_after_s):
            days = disabled_after_s / 86_400
            return replace(self, failing=failing).disabled(f"every attempt failed for {days:g} days")
        return self if failing == self.failing else replace(self, failing=failing)

    def with_terms(self, terms: EndpointTerms) -> "Endpoint":
        """The same with others. What failed at another address says nothing about this one."""
        moved = terms.url != self.terms.url
        return replace(self, terms=terms, failing=WELL if moved else self.failing)

    def disabled(self, reason: str) -> "Endpoint":
        """Out of use until it is resumed."""
        return replace(self, state=EndpointState.DISABLED, reason=reason)
