"""Webhooks as the API shows them, and as it takes them."""

import json
from datetime import datetime
from typing import Any

import msgspec

from application.use_cases.manage_webhooks import Opened, Replayed
from application.webhooks.telling import shown_time, terms_object
from domain.errors import InvalidRequest
from domain.vault.secret import SecretText
from domain.webhooks.delivery import Delivery
from domain.webhooks.endpoint import CONCURRENCY, Endpoint, EndpointTerms
from domain.webhooks.filter import EventFilter, Scalar
from domain.webhooks.format import WebhookFormat

US = 1_000_000


class WebhookBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /api/v1/webhooks` and `PUT /api/v1/webhooks/{endpoint_id}`."""

    url: str
    events: tuple[str, ...] = ("*",)
    filter: dict[str, Scalar] = msgspec.field(default_factory=dict)
    ordered: bool = False
    rate_per_s: float | None = None
    concurrency: int = CONCURRENCY
    description: str = ""
    format: str = WebhookFormat.STANDARD.value
    routing_key: str = ""

    def terms(self) -> EndpointTerms:
        """Raises InvalidConfiguration, naming the field."""
        return EndpointTerms(
            url=self.url,
            filter=EventFilter(types=self.events, equals=self.filter),
            ordered=self.ordered,
            rate_per_s=self.rate_per_s,
            concurrency=self.concurrency,
            description=self.description,
            format=_format(self.format),
        )


def _format(name: str) -> WebhookFormat:
    try:
        return WebhookFormat(name)
    except ValueError:
        allowed = ", ".join(each.value for each in WebhookFormat)
        raise InvalidRequest(f"no format {name[:40]!r}; allowed: {allowed}", param="format") from None


class RotationBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST …/rotate-secret`."""

    overlap_s: float | None = None


class ReplayBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST …/replay`."""

    since: str
    until: str | None = None
    dead_only: bool = False


def moment(text: str, param: str) -> datetime:
    """An RFC 3339 time with its offset. Raises InvalidRequest."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidRequest(f"{param} is a time with its offset, such as 2026-03-01T12:00:00Z", param=param)
    return found


def endpoint_object(endpoint: Endpoint, declared_in: str | None) -> dict[str, Any]:
    """Without any secret."""
    return {
        "endpoint_id": endpoint.endpoint_id,
        "tenant_id": endpoint.tenant_id,
        **terms_object(endpoint.terms),
        "state": endpoint.state.value,
        "reason": endpoint.reason,
        "failing_since": _seconds_shown(endpoint.failing.first_at_s),
        "owner": "file" if endpoint.declared else "api",
        "declared_in": declared_in,
        "created_at": shown_time(endpoint.created_at_us),
        "updated_at": shown_time(endpoint.updated_at_us),
    }


def made_object(endpoint: Endpoint, secret: SecretText) -> dict[str, Any]:
    """With the secret: the one time it is shown."""
    return {**endpoint_object(endpoint, None), "secret": secret.reveal()}


def rotated_object(endpoint: Endpoint, secret: SecretText, overlap_s: float) -> dict[str, Any]:
    """With the new secret: the one time it is shown."""
    return {"endpoint_id": endpoint.endpoint_id, "secret": secret.reveal(), "overlap_s": overlap_s}


def delivery_object(delivery: Delivery) -> dict[str, Any]:
    """One line of the log."""
    is_open = delivery.state.is_open
    return {
        "delivery_id": delivery.delivery_id,
        "endpoint_id": delivery.endpoint_id,
        "event_type": delivery.topic,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "outcome": delivery.last_outcome or None,
        "status": delivery.last_status,
        "event_at": shown_time(delivery.created_at_us),
        "next_attempt_at": shown_time(delivery.due_at_us) if is_open else None,
        "settled_at": shown_time(delivery.settled_at_us),
        "seq": delivery.seq,
    }


def opened_object(opened: Opened) -> dict[str, Any]:
    """With its event and its attempts."""
    event = opened.event
    return {
        **delivery_object(opened.delivery),
        "event_id": None if event is None else event.event_id,
        "data": None if event is None else json.loads(event.payload),
        "log": [
            {
                "at": shown_time(attempt.at_us),
                "duration_ms": attempt.duration_ms,
                "outcome": attempt.outcome.value,
                "status": attempt.status,
                "detail": attempt.detail,
            }
            for _, attempt in opened.attempts
        ],
    }


def replayed_object(replayed: Replayed) -> dict[str, Any]:
    """How many, and where to go on."""
    return {"deliveries": replayed.deliveries, "more_since": shown_time(replayed.more_from_us)}


def _seconds_shown(at_s: float | None) -> str | None:
    return None if at_s is None else shown_time(round(at_s * US))
