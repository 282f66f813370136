"""The published event of an alert: its schema, its example, its line in the log."""

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from application.budget_alerts import BUDGET_ALERT, budget_alert_event, log_alerts
from contracts.ports.ledger_world import NOW_US, USD, account
from domain.budgets.alerts import alerts_due
from domain.budgets.budget import DEFAULT_ALERTS, LIMIT_NANO_USD_MAX

EVENTS = Path(__file__).parents[3] / "contracts" / "events"
SCHEMA = json.loads((EVENTS / f"{BUDGET_ALERT}.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_every_published_event_has_a_schema_and_an_example_that_keeps_it() -> None:
    schemas = sorted(EVENTS.glob("*.json"))

    assert schemas
    for schema in schemas:
        told = json.loads(schema.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(told)
        example = json.loads((EVENTS / "examples" / schema.name).read_text(encoding="utf-8"))
        Draft202012Validator(told).validate(example)


def test_the_published_fields_are_all_there() -> None:
    promised = {
        "tenant_id",
        "current_spend",
        "budget_limit",
        "utilization_percentage",
        "period",
        "timestamp",
    }

    assert promised <= set(SCHEMA["required"])
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"])


@given(
    st.integers(0, LIMIT_NANO_USD_MAX),
    st.integers(0, 2 * LIMIT_NANO_USD_MAX),
    st.integers(-(2**63), 2**63),
    st.text(max_size=20),
)
def test_every_alert_keeps_the_schema(limit: int, spent: int, now_us: int, subject: str) -> None:
    one = account(limit=limit, subject=subject)._replace(alert_at=DEFAULT_ALERTS)

    for alert in alerts_due(one, spent, now_us):
        event = budget_alert_event(alert, now_us)

        assert (event.topic, event.tenant_id, event.key) == (BUDGET_ALERT, "acme", alert.key)
        VALIDATOR.validate(json.loads(event.payload))


def test_an_alert_is_one_line_that_people_understand(caplog: pytest.LogCaptureFixture) -> None:
    one = account(subject="agent=planner")._replace(alert_at=(8_000,))
    caplog.set_level(logging.WARNING, "interchange")

    log_alerts(alerts_due(one, 80 * USD + 5, NOW_US))

    assert [record.message for record in caplog.records] == [
        "budget Per agent (agent=planner) of tenant acme reached 80 %: 80.000000005 of 100 USD per day"
    ]
