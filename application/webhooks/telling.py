"""What is told about webhooks themselves, and how endpoints and events are written."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from application.events.writing import event_of, moment_text
from application.ports.event_log import LoggedEvent
from application.ports.outbox import OutboxEvent
from domain.events import WEBHOOK_DELIVERY_DEAD, WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_TEST
from domain.webhooks.delivery import Delivery, DeliveryState
from domain.webhooks.endpoint import OWN_TOPICS, Endpoint, EndpointTerms
from domain.webhooks.filter import EventFilter
from domain.webhooks.format import WebhookFormat

_US: Final = 1_000_000


def disabled_event(endpoint: Endpoint, now_us: int) -> OutboxEvent:
    """Told once for each time that it is disabled."""
    return event_of(
        WEBHOOK_ENDPOINT_DISABLED,
        endpoint.tenant_id,
        f"{WEBHOOK_ENDPOINT_DISABLED}:{endpoint.endpoint_id}:{endpoint.revision}:{now_us}",
        {"endpoint_id": endpoint.endpoint_id, "reason": endpoint.reason},
        now_us,
    )


def dead_events(delivery: Delivery, event_id: str, now_us: int) -> tuple[OutboxEvent, ...]:
    """What is told of a delivery that was given up. Of those that tell of webhooks themselves nothing is:
    that would go round for ever."""
    if delivery.state is not DeliveryState.DEAD or delivery.topic.startswith(OWN_TOPICS):
        return ()
    data = {
        "endpoint_id": delivery.endpoint_id,
        "event_id": event_id,
        "event_type": delivery.topic,
        "attempts": delivery.attempts,
        "outcome": delivery.last_outcome,
        "status": delivery.last_status,
    }
    key = f"{WEBHOOK_DELIVERY_DEAD}:{delivery.delivery_id}:{delivery.fence}"
    return (event_of(WEBHOOK_DELIVERY_DEAD, delivery.tenant_id, key, data, now_us),)


def sample_event(endpoint: Endpoint, key: str, now_us: int) -> OutboxEvent:
    """For trying whether an endpoint takes events."""
    data = {"endpoint_id": endpoint.endpoint_id}
    return event_of(WEBHOOK_TEST, endpoint.tenant_id, key, data, now_us)


def body_of(event: LoggedEvent) -> bytes:
    """The envelope, as it is sent and signed: the same bytes at every attempt."""
    head = json.dumps(
        {
            "id": event.event_id,
            "type": event.topic,
            "timestamp": moment_text(event.created_at_us),
            "tenant_id": event.tenant_id,
        },
        ensure_ascii=False,
    )
    return f'{head[:-1]}, "data": {event.payload}}}'.encode("utf-8", "replace")


def terms_text(terms: EndpointTerms) -> str:
    """As it is stored."""
    return json.dumps(terms_object(terms), ensure_ascii=False)


def terms_object(terms: EndpointTerms) -> dict[str, Any]:
    """As it is shown."""
    return {
        "url": terms.url,
        "events": list(terms.filter.types),
        "filter": dict(terms.filter.equals),
        "ordered": terms.ordered,
        "rate_per_s": terms.rate_per_s,
        "concurrency": terms.concurrency,
        "description": terms.description,
        "format": terms.format.value,
    }


def read_terms(text: str) -> EndpointTerms:
    """The opposite of `terms_text`. Raises InvalidConfiguration, ValueError."""
    said = json.loads(text)
    wanted = EventFilter(types=tuple(said.pop("events")), equals=said.pop("filter"))
    form = WebhookFormat(said.pop("format", WebhookFormat.STANDARD))
    return EndpointTerms(filter=wanted, format=form, **said)


def shown_time(at_us: int | None) -> str | None:
    """UTC epoch microseconds for people; None stays None."""
    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us / _US, UTC).isoformat(timespec="milliseconds")
