"""What is told of a request: that it completed, and who took over from whom on the way."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from application.events.writing import event_of
from application.ports.outbox import OutboxEvent
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.caching.effect import SHADOW
from domain.events import PROVIDER_FAILOVER, REQUEST_COMPLETED
from domain.llm.request import Operation
from domain.money import NANO_PER_USD, NanoUsd, format_usd
from domain.tracing.context import SAMPLED, traceparent
from domain.tracing.ids import span_id_of

LLM_TOOL: Final = "llm.complete"
"""What calls of models are called among tools."""
_DONE: Final = ("ok",)

Wants = Callable[[str, str], bool]
"""Whether anybody wants events of this tenant with this name."""


def events_of_request(event: RequestEvent, wants: Wants) -> Iterator[OutboxEvent]:
    """What the outbox gets of a finished request; nothing where nobody wants it.

    Requests that reached no integration (refused before) completed nothing.
    """
    tenant_id = event.tenant_id
    if event.cache == SHADOW:
        return  # nobody asked it
    if wants(tenant_id, REQUEST_COMPLETED) and (integration_id := _reached(event)):
        yield _completed(event, integration_id)
    if event.attempts_made > 1 and wants(tenant_id, PROVIDER_FAILOVER):
        for before, after in zip(event.attempts, event.attempts[1:], strict=False):
            if _took_over(before, after):
                yield _failover(event, before, after)


def traceparent_of(event: RequestEvent) -> str:
    """What others are told of a request's trace after it is over, as `ActiveTrace.headers` while it runs:
    our span where it is recorded, else the caller's, as not recorded. Empty: it belongs to no trace, or to
    one of ours that nobody records."""
    if not event.trace_id:
        return ""
    if event.traced:
        return traceparent(event.trace_id, span_id_of(event.request_id), SAMPLED)
    return traceparent(event.trace_id, event.parent_span_id, 0) if event.parent_span_id else ""


def _reached(event: RequestEvent) -> str:
    """Who answered, or who failed last; empty: nobody was asked."""
    if event.provider:
        return event.provider
    return event.attempts[-1].provider if event.attempts else ""


def _completed(event: RequestEvent, integration_id: str) -> OutboxEvent:
    is_tool = event.operation == Operation.TOOL.value
    data = {
        "integration_id": integration_id,
        "tool_name": event.model or event.model_asked if is_tool else LLM_TOOL,
        "execution_time_ms": round(event.duration_us / 1000),
        **_cost(event.cost_nano_usd),
        "success": event.outcome in _DONE,
        "outcome": event.outcome,
        "error_code": event.error_code or None,
        "request_id": event.request_id,
        "model": None if is_tool else event.model or event.model_asked,
        "agent_id": event.agent_id[:200] or None,
        "cached": event.cache.startswith("hit"),
    }
    ended_us = event.started_at_us + event.duration_us
    key = f"{REQUEST_COMPLETED}:{event.request_id}"
    return event_of(REQUEST_COMPLETED, event.tenant_id, key, data, ended_us, traceparent_of(event))


def _cost(nano_usd: int | None) -> dict[str, Any]:
    if nano_usd is None:
        return {"cost": None, "cost_usd": None}
    return {"cost": nano_usd / NANO_PER_USD, "cost_usd": format_usd(NanoUsd(nano_usd))}


def _took_over(before: AttemptEvent, after: AttemptEvent) -> bool:
    """A retry of the same target is no failover."""
    return before.outcome not in _DONE and (before.provider, before.model) != (after.provider, after.model)


def _failover(event: RequestEvent, before: AttemptEvent, after: AttemptEvent) -> OutboxEvent:
    data = {
        "original_provider": before.provider,
        "fallback_provider": after.provider,
        "reason": before.outcome,
        "request_id": event.request_id,
        "original_model": before.model,
        "fallback_model": after.model,
    }
    key = f"{PROVIDER_FAILOVER}:{event.request_id}:{after.ordinal}"
    return event_of(PROVIDER_FAILOVER, event.tenant_id, key, data, after.started_at_us, traceparent_of(event))
