"""Every event that is told keeps the schema that is published for it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from application.events import changes
from application.events.anomalies import cost_anomaly
from application.events.envelope import envelope, envelope_text
from application.events.requests import events_of_request
from application.events.writing import epoch_us, event_of, moment_text
from application.ports.event_log import LoggedEvent
from application.ports.outbox import OutboxEvent
from application.webhooks.telling import body_of
from contracts.events import envelope_schema, examples, schemas
from contracts.ports.keys import NOW, record
from contracts.ports.stops import stop
from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.anomalies.detector import Kind, Severity, Window
from domain.anomalies.metrics import Found
from domain.connectors.health import HealthCheck, HealthState
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool_pins import PinVerdict
from domain.events import TOPICS
from domain.guards.stop import StopCause, StopSubject
from domain.tracing.ids import span_id_of
from domain.webhooks.envelope import event_id

VALIDATORS = {name: Draft202012Validator(schema) for name, schema in schemas().items()}
ROTATED = replace(record(), rotated_at=NOW, expires_at=NOW + timedelta(days=3))
ORDERS = Integration(
    tenant_id="acme",
    integration_id="orders",
    kind=IntegrationKind.DATABASE,
    configuration={"endpoint": "postgresql://db/orders"},
    updated_at_us=7,
    updated_by="Key000000001",
)
TOLD = [
    changes.key_created(record()),
    changes.key_created(replace(record(), created_by="Key000000009", expires_at=NOW)),
    changes.key_rotated(ROTATED),
    changes.key_revoked("acme", "Key000000001", NOW, "", ""),
    changes.key_revoked("acme", "Key000000001", NOW, "Key000000002", "lost"),
    changes.key_expiring(ROTATED, 86_400, NOW),
    changes.agent_stopped(stop()),
    changes.agent_stopped(stop(subject=StopSubject(user_id="somebody"), cause=StopCause.SPEND_RATE)),
    changes.agent_released("acme", "stop_1", NOW, "Key000000001"),
    changes.breaker_changed(None, "alpha", "alpha/small", instance="i", opened=True, key="k", at_us=1),
    changes.breaker_changed(None, "alpha", "alpha/small", instance="i", opened=False, key="k", at_us=1),
    changes.breaker_changed("acme", "orders", "", instance="i", opened=True, key="k", at_us=1),
    changes.breaker_changed("acme", "orders", "", instance="i", opened=False, key="k", at_us=1),
    changes.integration_switched("active", ORDERS),
    changes.integration_switched("disabled", replace(ORDERS, updated_by="")),
    changes.integration_found(
        "healthy", HealthCheck("*", "orders", 7, HealthState.UNHEALTHY, None, "x" * 600)
    ),
    changes.integration_tools_changed(
        ORDERS,
        PinVerdict(frozenset(), ("a",), ("b",), ("c",), {"a": "0" * 64, "b": "1" * 64, "d": "2" * 64}),
        7,
    ),
    cost_anomaly(
        "acme",
        Found(
            window=Window(3, 5, 41.2e9, 9.8e9, 4.1e9, 20.0, Severity.CRITICAL, Kind.SPIKE),
            requests=8,
            change=94.2e9,
        ),
        0,
        7,
    ),
    changes.audit_checkpoint("note\n", NOW, origin="interchange/x", size=3, root_sha256="ab" * 32),
]


def keeps(event: OutboxEvent) -> None:
    data = json.loads(event.payload)
    VALIDATORS[event.topic].validate(data)
    assert set(data) == set(schemas()[event.topic]["properties"]), "nothing is told that is not published"
    placed = LoggedEvent(
        1, event_id(event.key), event.topic, event.tenant_id, event.payload, event.created_at_us
    )
    Draft202012Validator(envelope_schema()).validate(envelope(placed))


@pytest.mark.parametrize("event", TOLD, ids=lambda event: event.topic)
def test_what_is_told_of_changes_keeps_its_schema(event: OutboxEvent) -> None:
    keeps(event)


def test_every_name_has_a_schema_that_is_one_and_an_example_that_keeps_it() -> None:
    assert set(schemas()) == set(examples()) == set(TOPICS)
    for name, schema in schemas().items():
        Draft202012Validator.check_schema(schema)
        VALIDATORS[name].validate(examples()[name])
        assert schema["title"] == name
        assert set(schema["required"]) == set(schema["properties"]) == set(examples()[name])


@given(
    st.sampled_from(["ok", "error", "cut", "cancelled", "refused"]),
    st.sampled_from(["chat", "tool", "embeddings"]),
    st.one_of(st.none(), st.integers(-(10**12), 2**62)),
    st.text(max_size=300),
    st.integers(0, 2**50),
)
def test_whatever_a_request_was_its_events_keep_their_schemas(
    outcome: str, operation: str, cost: int | None, agent_id: str, at_us: int
) -> None:
    event = usage_event(1)._replace(
        outcome=outcome,
        operation=operation,
        cost_nano_usd=cost,
        agent_id=agent_id,
        started_at_us=at_us,
        attempts_made=3,
        attempts=failed_over("a/x", "a/y", "b/x"),
    )

    told = list(events_of_request(event, lambda _tenant, _topic: True))

    assert [each.topic for each in told] == ["integration.request_completed"] + 2 * ["provider.failover"]
    for each in told:
        keeps(each)
    assert len({each.key for each in told}) == 3


def failed_over(*targets: str) -> tuple[AttemptEvent, ...]:
    made = []
    for number, target in enumerate(targets):
        provider, _, model = target.partition("/")
        tried = attempt("req_1", number, provider=provider, model=model)
        made.append(tried._replace(outcome="server_error" if number < len(targets) - 1 else "ok"))
    return tuple(made)


def test_a_retry_of_the_same_target_is_no_failover() -> None:
    event = usage_event(1)._replace(attempts_made=3, attempts=failed_over("a/x", "a/x", "b/x"))

    told = [
        json.loads(each.payload)
        for each in events_of_request(event, lambda _tenant, topic: topic == "provider.failover")
    ]

    assert [(each["original_provider"], each["fallback_provider"], each["reason"]) for each in told] == [
        ("a", "b", "server_error")
    ]


def test_a_tool_is_called_by_its_name_and_a_model_is_llm_complete() -> None:
    def told(event: RequestEvent) -> dict[str, object]:
        (completed,) = events_of_request(event, lambda _tenant, topic: topic.startswith("integration."))
        data: dict[str, object] = json.loads(completed.payload)
        return data

    tool = usage_event(1)._replace(operation="tool", provider="orders", model="query", attempts=())
    assert (told(tool)["integration_id"], told(tool)["tool_name"]) == ("orders", "query")
    model = usage_event(1)._replace(operation="chat", provider="acme", model="small", attempts=())
    assert (told(model)["integration_id"], told(model)["tool_name"]) == ("acme", "llm.complete")


def test_what_reached_nobody_completed_nothing_and_what_nobody_wants_is_not_told() -> None:
    refused = usage_event(1)._replace(provider="", attempts=(), attempts_made=0, outcome="refused")

    assert list(events_of_request(refused, lambda _tenant, _topic: True)) == []
    assert list(events_of_request(usage_event(1), lambda _tenant, _topic: False)) == []


@pytest.mark.parametrize(
    ("traced", "parent", "told"),
    [
        (True, "", f"00-{'a' * 32}-{span_id_of('req_0001')}-01"),
        (True, "c" * 16, f"00-{'a' * 32}-{span_id_of('req_0001')}-01"),
        (False, "c" * 16, f"00-{'a' * 32}-{'c' * 16}-00"),
        (False, "", ""),
    ],
)
def test_an_event_knows_the_trace_of_its_request_and_says_nothing_of_it(
    traced: bool, parent: str, told: str
) -> None:
    event = usage_event(1)._replace(
        request_id="req_0001",
        trace_id="a" * 32,
        traced=traced,
        parent_span_id=parent,
        attempts_made=2,
        attempts=failed_over("a/x", "b/x"),
    )

    events = list(events_of_request(event, lambda _tenant, _topic: True))

    assert [each.trace for each in events] == [told] * 2
    assert all("a" * 32 not in each.payload for each in events)
    untraced = event._replace(trace_id="", parent_span_id="", traced=False)
    assert {each.trace for each in events_of_request(untraced, lambda _tenant, _topic: True)} == {""}


def test_users_and_sessions_are_named_in_no_event() -> None:
    event = usage_event(1)._replace(user_id="somebody", session_id="theirs", metadata='{"a": "secret"}')
    told = [
        *events_of_request(event, lambda _tenant, _topic: True),
        changes.agent_stopped(stop(subject=StopSubject(user_id="somebody", session_id="theirs"))),
    ]

    assert not any("somebody" in each.payload or "theirs" in each.payload for each in told)


def test_an_event_is_the_same_wherever_it_is_told() -> None:
    told = event_of("key.revoked", "äcme", "k", {"key_id": "ü", "revoked_by": None, "reason": None}, 7)
    placed = LoggedEvent(1, event_id("k"), told.topic, told.tenant_id, told.payload, told.created_at_us)

    assert json.loads(body_of(placed)) == json.loads(envelope_text(placed)) == envelope(placed)


def test_times_are_utc_with_microseconds_however_wrong_the_clock() -> None:
    assert moment_text(0) == "1970-01-01T00:00:00.000000Z"
    assert moment_text(-(10**20)) == "1970-01-01T00:00:00.000000Z"
    assert moment_text(10**20) == "9999-12-31T23:59:59.999999Z"
    assert epoch_us(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
