"""FOCUS rows: complete, in periods of the calendar, and as dear as the roll-ups."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ports.usage import STARTED_AT_US, usage_event
from contracts.ports.usage_analysis import anything
from domain.analytics.focus import FOCUS_COLUMNS, Charges, period_of
from domain.analytics.rollup import DAY_US, HOUR_US, roll_up

MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "ProviderName", "PublisherName", "ServiceCategory",
    "ServiceName",
}  # fmt: skip
"""Columns of FOCUS 1.2 that must never be empty."""


def rows(events: list[Any], bucket: str = "day") -> list[dict[str, Any]]:
    charges = Charges("acme", bucket)
    found = [*charges.add(roll_up(events)), *charges.rest()]
    return [dict(zip([column.name for column in FOCUS_COLUMNS], row, strict=True)) for row in found]


@given(st.integers(1, 60), st.integers(0, 1000), st.sampled_from(["hour", "day", "month"]))
@settings(max_examples=40, deadline=None)
def test_no_cost_is_lost_and_no_mandatory_column_is_empty(count: int, seed: int, bucket: str) -> None:
    draw = random.Random(seed)
    events = [anything(number, draw)._replace(tenant_id="acme") for number in range(count)]

    found = rows(events, bucket)

    known = sum(attempt.cost_nano_usd or 0 for event in events for attempt in event.attempts)
    assert sum(row["BilledCost"] for row in found) == known
    for row in found:
        assert all(row[name] not in (None, "") for name in MANDATORY)
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
    keys = [(row["ChargePeriodStart"], row["SkuId"], row["Tags"]) for row in found]
    assert len(set(keys)) == len(keys)


def test_a_refusal_is_no_charge() -> None:
    refused = usage_event(1, provider="", model="", outcome="refused", attempts=(), cost_nano_usd=0)

    assert rows([refused]) == []


def test_tags_are_json_whatever_they_hold() -> None:
    (row,) = rows([usage_event(1, team='a"b\\c\n\u2028', project="x", route="assistant")])

    assert json.loads(row["Tags"]) == {
        "route": "assistant",
        "key_id": "Key000000001",
        "team": 'a"b\\c\n\u2028',
        "project": "x",
        "operation": "chat",
    }


def test_periods_are_those_of_the_calendar() -> None:
    hour = STARTED_AT_US
    midnight = hour // DAY_US * DAY_US

    assert period_of(hour, "hour") == (hour, hour + HOUR_US)
    assert period_of(hour, "day") == (midnight, midnight + DAY_US)
    assert period_of(hour, "month") == (midnight, midnight + 31 * DAY_US)
    with pytest.raises(ValueError, match="allowed: hour, day, month"):
        period_of(hour, "week")
