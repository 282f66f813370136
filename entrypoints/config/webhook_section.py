"""`webhooks`: endpoints that the file declares, and how all of them are sent to."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from application.use_cases.manage_webhooks import check_routing_key, private_of
from application.webhooks.address import check_url
from application.webhooks.secrets import Sending
from domain.errors import InterchangeError
from domain.tenancy.role import OPERATOR_TENANT
from domain.vault.secret import SecretText
from domain.webhooks.endpoint import (
    CONCURRENCY,
    CONCURRENCY_MAX,
    DESCRIPTION_LENGTH_MAX,
    FILE_ID,
    RATE_PER_S_MAX,
    URL_LENGTH_MAX,
    Endpoint,
    EndpointTerms,
)
from domain.webhooks.filter import EQUALS_MAX, EventFilter, Scalar
from domain.webhooks.format import WebhookFormat
from domain.webhooks.schedule import (
    ATTEMPTS_MAX,
    JITTER_SHARE,
    RETRY_AFTER_S_MAX,
    WAIT_S_MAX,
    WAITS_S,
    Schedule,
)
from domain.webhooks.signature import secret_key
from entrypoints.config.problems import Finding
from entrypoints.config.sections import Section

ENDPOINTS_IN_FILE_MAX = 1000
EndpointName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]


class WebhookEndpointSettings(Section):
    """An endpoint of the file; the API shows it and its deliveries, and changes nothing of it."""

    url: str = Field(max_length=URL_LENGTH_MAX, description="https, without user and fragment.")
    secret: SecretStr = Field(
        description="What is signed with, such as ${WEBHOOK_SECRET}: `whsec_` and 24 to 64 bytes as base64."
    )
    tenant: str = Field(default=OPERATOR_TENANT, description="Whose events it gets.")
    events: tuple[str, ...] = Field(
        default=("*",), description="Types of events: names, groups such as `key.*`, or `*`."
    )
    filter: dict[str, Scalar] = Field(
        default_factory=dict,
        max_length=EQUALS_MAX,
        description="Only events in whose data these paths have these values.",
    )
    ordered: bool = Field(
        default=False, description="One at a time, in order: the next waits until the one before is settled."
    )
    rate_per_s: float | None = Field(
        default=None, gt=0, le=RATE_PER_S_MAX, description="At most so many attempts per second and process."
    )
    concurrency: int = Field(
        default=CONCURRENCY, ge=1, le=CONCURRENCY_MAX, description="Attempts under way at once, per process."
    )
    description: str = Field(default="", max_length=DESCRIPTION_LENGTH_MAX)
    format: Literal["standard", "slack", "pagerduty"] = Field(
        default="standard", description="How events look there; see docs/alerts.md."
    )
    routing_key: SecretStr | None = Field(
        default=None, description="Of the PagerDuty integration, such as ${PAGERDUTY_ROUTING_KEY}."
    )

    def endpoint(self, name: str) -> Endpoint:
        """As it is kept. Raises InvalidConfiguration, naming the key."""
        terms = EndpointTerms(
            url=self.url,
            filter=EventFilter(types=self.events, equals=self.filter),
            ordered=self.ordered,
            rate_per_s=self.rate_per_s,
            concurrency=self.concurrency,
            description=self.description,
            format=WebhookFormat(self.format),
        )
        terms, sending = private_of(terms, self._routing_key())
        check_routing_key(terms, sending.routing_key)
        return Endpoint(endpoint_id=f"{FILE_ID}{name}", tenant_id=self.tenant, terms=terms, declared=True)

    def _routing_key(self) -> str:
        return "" if self.routing_key is None else self.routing_key.get_secret_value()

    def sending(self) -> Sending:
        """What is secret about it beside what it signs with."""
        return Sending(
            self._routing_key(),
            self.url if self.format == "slack" else "",
        )


class WebhookSettings(Section):
    """Webhooks: events sent to whoever subscribed, at least once, signed as Standard Webhooks asks."""

    endpoints: dict[EndpointName, WebhookEndpointSettings] = Field(
        default_factory=dict, max_length=ENDPOINTS_IN_FILE_MAX
    )
    enabled: bool = Field(
        default=True, description="False: this process delivers nothing; others of the installation do."
    )
    http_allowed: bool = Field(
        default=False, description="Also to addresses without TLS: for tests on one machine."
    )
    timeout_s: float = Field(default=15.0, ge=1, le=30, description="Of one attempt, as a whole.")
    schedule_s: tuple[Annotated[float, Field(ge=0, le=WAIT_S_MAX)], ...] = Field(
        default=WAITS_S,
        min_length=1,
        max_length=ATTEMPTS_MAX,
        description="The wait before each attempt; there are as many attempts as waits.",
    )
    jitter: float = Field(default=JITTER_SHARE, ge=0, le=1, description="By how much a wait may be longer.")
    retry_after_max_s: float = Field(
        default=RETRY_AFTER_S_MAX,
        ge=0,
        le=WAIT_S_MAX,
        description="The longest Retry-After of an endpoint that is followed.",
    )
    slots: int = Field(default=128, ge=2, le=2048, description="Attempts under way at once, per process.")
    lease_s: float = Field(
        default=60.0,
        ge=5,
        le=900,
        description="How long a process keeps a delivery that it began; a dead one's are taken over then. "
        "At least twice `timeout_s`.",
    )
    disabled_after_days: float = Field(
        default=5.0, gt=0, le=60, description="Of only failures, until an endpoint is disabled."
    )
    expired_after_days: float = Field(
        default=7.0,
        gt=0,
        le=60,
        description="How long a delivery waits for an endpoint that is paused or disabled.",
    )
    retention_days: float = Field(
        default=30.0, gt=0, le=366, description="How long settled deliveries and events are kept."
    )

    def schedule(self) -> Schedule:
        return Schedule(
            waits_s=self.schedule_s, jitter_share=self.jitter, retry_after_s_max=self.retry_after_max_s
        )

    def declared(self) -> tuple[Endpoint, ...]:
        """Those of the file."""
        return tuple(section.endpoint(name) for name, section in self.endpoints.items())

    def sending(self) -> dict[str, Sending]:
        """What is secret about them beside that, by endpoint."""
        return {f"{FILE_ID}{name}": section.sending() for name, section in self.endpoints.items()}

    def secrets(self) -> dict[str, SecretText]:
        """What they sign with, by endpoint."""
        return {
            f"{FILE_ID}{name}": SecretText(section.secret.get_secret_value())
            for name, section in self.endpoints.items()
        }


def webhook_findings(section: WebhookSettings) -> Iterator[Finding]:
    """What is wrong about endpoints that are well written, each told at the key that says it."""
    for name, endpoint in section.endpoints.items():
        try:
            endpoint.endpoint(name)
            check_url(endpoint.url, http_allowed=section.http_allowed)
            secret_key(endpoint.secret.get_secret_value())
        except InterchangeError as error:
            path = ("webhooks", "endpoints", name, *(error.param or "").split("."))
            yield Finding(path, error.message, fatal=True)
    if section.lease_s < 2 * section.timeout_s:
        yield Finding(("webhooks", "lease_s"), "must be at least twice timeout_s", fatal=True)
