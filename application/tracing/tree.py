"""One finished request as its tree of spans.

request → admission, cache lookup, routing decision, budget hold, one span per attempt, cache write, response
build. Everything comes from the wide event, so traces, metrics and rows tell the same story. Stages are known
by their lengths and follow each other, so each begins where the one before ended; attempts have times of
their own. Nothing lies outside of its parent.
"""

from typing import Final, NamedTuple

from application.tracing import conventions as names
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.caching.effect import HIT_KINDS, MISS, NO_CACHE
from domain.llm.request import Operation
from domain.money import NANO_PER_USD
from domain.tracing.active import TraceContext
from domain.tracing.context import SAMPLED
from domain.tracing.ids import span_id_of, trace_id_of
from domain.tracing.span import Attributes, AttributeValue, Span, SpanKind

TEXT_CHARS_MAX: Final = 256
"""Of one attribute; what callers name may be longer."""
ATTEMPTS_MAX: Final = 32
"""Spans of attempts of one request; a request that makes more shows the first ones."""
Interval = tuple[int, int]
"""From when to when, UTC epoch microseconds."""
_OK: Final = "ok"
_TOOL: Final = Operation.TOOL.value
_CLIENT_ERRORS: Final = frozenset({"ok", "cancelled", "refused"})
"""Outcomes that are no failure of ours: a server's span is an error only where it did not do its work."""


class _Trace(NamedTuple):
    """What all spans of one request share."""

    trace_id: str
    request_id: str
    root_id: str
    start_us: int
    end_us: int
    state: str
    flags: int

    def step(self, name: str, start_us: int, end_us: int, attributes: Attributes = ()) -> Span:
        """A span of ours below the request's."""
        span_id = span_id_of(f"{self.request_id}/{name}")
        return self.span(span_id, name, SpanKind.INTERNAL, start_us, end_us, attributes)

    def span(
        self,
        span_id: str,
        name: str,
        kind: SpanKind,
        start_us: int,
        end_us: int,
        attributes: Attributes,
        failed: bool = False,
    ) -> Span:
        """Below the request's span, and within it."""
        start_us = min(max(start_us, self.start_us), self.end_us)
        end_us = min(max(end_us, start_us), self.end_us)
        return Span(
            self.trace_id,
            span_id,
            self.root_id,
            name,
            kind,
            start_us,
            end_us,
            attributes,
            failed,
            False,
            self.state,
            self.flags,
        )


class SpanTree:
    """`personal`: whether spans name the user and the conversation, as the caller gave them."""

    def __init__(self, conventions: names.Conventions = names.CLASSIC, *, personal: bool = False) -> None:
        self._names = conventions
        self._personal = personal

    def spans_of(
        self,
        event: RequestEvent,
        context: TraceContext | None,
        cache_further_us: Interval | None = None,
        cache_write_us: Interval | None = None,
    ) -> list[Span]:
        """The spans of one request, its own first: with the second look into caches and the keeping of the
        answer where there were any. Pure."""
        parent = None if context is None else context.parent
        trace = _Trace(
            trace_id_of(event.request_id) if parent is None else parent.trace_id,
            event.request_id,
            span_id_of(event.request_id),
            event.started_at_us - event.entry_us,
            event.started_at_us + event.duration_us,
            "" if context is None else context.state,
            SAMPLED if parent is None else parent.flags | SAMPLED,
        )
        operation = names.operation_name(event.operation)
        root = Span(
            trace.trace_id,
            trace.root_id,
            "" if parent is None else parent.span_id,
            _root_name(event, operation),
            SpanKind.SERVER,
            trace.start_us,
            trace.end_us,
            self._root_attributes(event, operation),
            event.outcome not in _CLIENT_ERRORS,
            parent is not None,
            trace.state,
            trace.flags,
        )
        attempts = event.attempts[:ATTEMPTS_MAX]
        spans = [root, *self._stages(trace, event, cache_further_us)]
        spans += [self._attempt(trace, event, each, operation) for each in attempts]
        if cache_write_us is not None:
            spans.append(trace.step(names.CACHE_WRITE, *cache_write_us))
        if event.outcome == _OK:
            built_from_us = max(
                (each.started_at_us + each.duration_us for each in attempts),
                default=event.started_at_us + _before_attempts_us(event),
            )
            written_until_us = built_from_us if cache_write_us is None else cache_write_us[1]
            spans.append(trace.step(names.RESPONSE_BUILD, max(built_from_us, written_until_us), trace.end_us))
        return spans

    def _stages(self, trace: _Trace, event: RequestEvent, cache_further_us: Interval | None) -> list[Span]:
        """What came before the attempts, in its order."""
        spans: list[Span] = []
        admitted_us = event.started_at_us + event.admit_us
        looked_us = admitted_us + event.cache_us
        if cache_further_us is not None:
            looked_us = max(admitted_us, looked_us - (cache_further_us[1] - cache_further_us[0]))
        planned_us = looked_us + event.plan_us
        if event.admit_us:
            attributes = _some(
                (names.QUEUE_US, event.queue_us or None),
                (names.PRIVACY, event.privacy),
                (names.GUARDRAILS, event.guardrails),
            )
            spans.append(trace.step(names.ADMISSION, event.started_at_us, admitted_us, attributes))
        if event.cache != NO_CACHE:
            attributes = _some((names.CACHE, event.cache), (names.SIMILARITY, event.cache_similarity))
            first = attributes if cache_further_us is None else ((names.CACHE, MISS),)
            spans.append(trace.step(names.CACHE_LOOKUP, admitted_us, looked_us, first))
            if cache_further_us is not None:
                spans.append(trace.step(names.CACHE_LOOKUP_FURTHER, *cache_further_us, attributes))
        if event.planned or event.attempts or (event.outcome != "refused" and event.cache not in HIT_KINDS):
            attributes = _some(
                (names.ROUTE, event.route),
                (names.STRATEGY, event.strategy),
                (names.CANDIDATES, event.candidates),
                (names.PLANNED, event.planned),
                (names.LEFT_OUT, event.left_out),
                (names.AFFINITY, event.affinity),
                (names.REASON, event.reason),
            )
            spans.append(trace.step(names.ROUTING, looked_us, planned_us, attributes))
        if event.hold_us:
            spans.append(trace.step(names.HOLD, planned_us, planned_us + event.hold_us))
        return spans

    def _attempt(self, trace: _Trace, event: RequestEvent, attempt: AttemptEvent, operation: str) -> Span:
        end_us = attempt.started_at_us + attempt.duration_us
        failed = attempt.outcome not in (_OK, "cancelled")
        told = self._names
        common: tuple[tuple[str, AttributeValue | None], ...] = (
            (names.OPERATION, operation),
            (names.ATTEMPT_ID, attempt.attempt_id),
            (names.VIA, attempt.via),
            (names.OUTCOME, attempt.outcome),
            (names.ERROR_TYPE, attempt.outcome if failed else None),
            (names.HTTP_STATUS, attempt.status),
            (names.HTTP_RESEND_COUNT, attempt.ordinal or None),
            (names.RETRY_AFTER_US, attempt.retry_after_us),
            (names.CREDENTIAL, attempt.credential),
            (names.COST_NANO_USD, attempt.cost_nano_usd),
            (names.ESTIMATED, attempt.estimated),
        )
        if event.operation == _TOOL:
            own: tuple[tuple[str, AttributeValue | None], ...] = (
                (names.TOOL_NAME, attempt.model),
                (names.INTEGRATION, attempt.provider),
                (names.TOOL_TYPE, "function"),
                (names.TOOL_CALL_ID, event.client_request_id),
            )
        else:
            ok = attempt.outcome == _OK
            own = (
                (names.HTTP_METHOD, "POST"),
                (told.provider, told.provider_name(attempt.provider)),
                (names.REQUEST_MODEL, attempt.model),
                (names.RESPONSE_MODEL, attempt.model if ok else None),
                (names.FINISH_REASONS, (event.finish_reason,) if ok and event.finish_reason else None),
                (names.INPUT_TOKENS, attempt.input_tokens),
                (names.OUTPUT_TOKENS, attempt.output_tokens),
                (told.cached_read_tokens, attempt.cached_read_tokens or None),
                (
                    told.cache_write_tokens,
                    attempt.cache_write_tokens + attempt.cache_write_long_tokens or None,
                ),
                (told.reasoning_tokens, attempt.reasoning_tokens or None),
                (told.time_to_first_chunk, _seconds(attempt.first_token_us)),
            )
        attributes = _some(*own, *common)
        span_id = span_id_of(attempt.attempt_id)
        name = f"{operation} {attempt.model[:TEXT_CHARS_MAX]}"
        return trace.span(span_id, name, SpanKind.CLIENT, attempt.started_at_us, end_us, attributes, failed)

    def _root_attributes(self, event: RequestEvent, operation: str) -> Attributes:
        told, tool = self._names, event.operation == _TOOL
        failed = event.outcome not in (_OK, "cancelled")
        cost = event.cost_nano_usd
        return _some(
            (names.OPERATION, operation),
            (told.provider, None if tool or not event.provider else told.provider_name(event.provider)),
            (names.REQUEST_MODEL, None if tool else event.model_asked),
            (names.RESPONSE_MODEL, None if tool else event.model),
            (names.FINISH_REASONS, (event.finish_reason,) if event.finish_reason and not tool else None),
            (names.TOOL_NAME, (event.model or event.model_asked) if tool else None),
            (names.INTEGRATION, (event.provider or event.route) if tool else None),
            (names.INPUT_TOKENS, None if tool else event.input_tokens),
            (names.OUTPUT_TOKENS, None if tool else event.output_tokens),
            (names.AGENT_ID, event.agent_id),
            (names.CONVERSATION_ID, event.session_id if self._personal else None),
            (names.USER_ID, event.user_id if self._personal else None),
            (names.TENANT, event.tenant_id),
            (names.KEY, event.key_id),
            (names.REQUEST_ID, event.request_id),
            (names.WORKFLOW, event.workflow_id),
            (names.DIALECT, event.dialect),
            (names.ROUTE, event.route),
            (names.VIA, event.via),
            (names.OUTCOME, event.outcome),
            (names.ERROR_TYPE, (event.error_code or event.outcome) if failed else None),
            (names.HTTP_STATUS, event.status or None),
            (names.CACHE, event.cache),
            (names.SAVED_NANO_USD, event.saved_nano_usd or None),
            (names.COST_NANO_USD, cost),
            (names.COST_USD, None if cost is None else cost / NANO_PER_USD),
            (names.ESTIMATED, event.estimated),
            (names.SIMULATED, event.simulated or None),
            (names.STREAMED, event.streamed),
            (names.CONTINUED, event.continued or None),
            (names.ATTEMPTS, event.attempts_made),
            (names.FALLBACKS, event.fallbacks or None),
            (names.BREAKER_SKIPS, event.breaker_skips or None),
            (names.UPSTREAM_US, event.upstream_us),
            (names.FIRST_TOKEN_US, event.first_token_us),
            (names.CHUNKS, event.chunks or None),
            (names.GAP_MAX_US, event.gap_max_us),
            (names.TASK, event.task),
            (names.CHECKS, event.checks),
        )


def _root_name(event: RequestEvent, operation: str) -> str:
    """Bounded by what the operator and the catalogue name: what callers ask for may be anything."""
    if event.operation == _TOOL:
        return f"{operation} {event.model[:TEXT_CHARS_MAX]}" if event.model else operation
    return f"{operation} {event.route[:TEXT_CHARS_MAX]}" if event.route else operation


def _before_attempts_us(event: RequestEvent) -> int:
    return event.admit_us + event.cache_us + event.plan_us + event.hold_us


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6


def _some(*pairs: tuple[str, AttributeValue | None]) -> Attributes:
    """Those that say something, each bounded."""
    return tuple(
        (name, value[:TEXT_CHARS_MAX] if isinstance(value, str) else value)
        for name, value in pairs
        if value is not None and value != ""
    )
