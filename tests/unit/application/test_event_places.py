"""The wide event is made from one tuple, so nothing but this notices a value in another's place."""

from types import UnionType
from typing import get_args, get_origin, get_type_hints

from adapters.memory.system import SteppingClock
from application.job import Attribution
from application.request_event import event_of
from domain.analytics.event import RequestEvent
from domain.tracing.active import ActiveTrace
from tests.unit.limits.limit_world import job


def test_each_value_is_of_its_fields_kind_and_texts_are_where_they_belong() -> None:
    made = job(SteppingClock())
    made.attribution = Attribution(
        agent_id="agent", user_id="user", session_id="session", workflow_id="workflow",
        client_request_id="client", metadata="{}",
    )  # fmt: skip
    made.via, made.finish_reason, made.affinity, made.reason = "direct", "stop", "kept", "because"
    made.entry_s, made.admit_s, made.queue_s, made.cache_s = 1.0, 2.0, 3.0, 4.0
    made.plan_s, made.hold_s, made.upstream_s, made.first_token_s = 5.0, 6.0, 7.0, 8.0
    made.chunks, made.gap_max_s, made.response_bytes, made.budget_left_nano_usd = 9, 10.0, 11, 12
    made.tracing = ActiveTrace("a" * 32, None, True, frozenset())

    event = event_of(made, made.started + 13, status=418, outcome="error", error_code="code")

    for name, kind in get_type_hints(RequestEvent).items():
        kinds = get_args(kind) if isinstance(kind, UnionType) else (get_origin(kind) or kind,)
        value = getattr(event, name)
        assert type(value) in kinds, (name, value)
    seconds = {
        "entry_us": 1, "admit_us": 2, "queue_us": 3, "cache_us": 4, "plan_us": 5, "hold_us": 6,
        "upstream_us": 7, "first_token_us": 8, "gap_max_us": 10, "duration_us": 13,
    }  # fmt: skip
    said = {
        "agent_id": "agent", "user_id": "user", "session_id": "session", "workflow_id": "workflow",
        "client_request_id": "client", "metadata": "{}", "via": "direct", "outcome": "error", "status": 418,
        "error_code": "code", "finish_reason": "stop", "affinity": "kept", "reason": "because", "chunks": 9,
        "response_bytes": 11, "budget_left_nano_usd": 12, "request_id": "req_1", "tenant_id": "acme",
        "key_id": "k1", "operation": "chat", "dialect": "openai.chat", "model_asked": "assistant",
        "trace_id": "a" * 32, "parent_span_id": "", "traced": True,
    }  # fmt: skip
    assert {name: getattr(event, name) for name in seconds} == {n: s * 1_000_000 for n, s in seconds.items()}
    assert {name: getattr(event, name) for name in said} == said
