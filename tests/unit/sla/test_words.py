"""What alerts say: each number with its unit, and with what it takes to fire."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.ports.alerts import Finding
from application.sla.findings import findings, lengths_us
from application.sla.terms import AlertTerms
from domain.sla.measure import provider_scope, scope_of
from domain.sla.rules import MEASURED, RULES, AlertRule, Unit
from domain.sla.words import NOTE_LENGTH_MAX, alarm, amount, note_of, span
from tests.unit.sla.world import requests

UNIT = r"( %| s\b| min\b| h\b| days\b| times\b| USD\b| hours\b| (attempts|requests|look-ups)\b)"
ALARMS = {
    "cost-per-request": "alarm above 20 % for 10 min",
    "cache-hit-ratio": "alarm below 70 % for 30 min",
    "provider-failures": "alarm above 5 % for 5 min",
    "budget-nearly-spent": "alarm above 90 %",
    "latency-p95": "alarm above 5 s for 5 min",
    "error-rate": "alarm above 5 % for 5 min",
    "error-budget-burning-fast": "alarm after 2 min of that",
    "error-budget-burning": "alarm after 60 min of that",
    "breaker-open": "alarm after 5 min",
    "provider-unusable": "alarm after 5 min",
    "webhook-disabled": "alarm at once",
    "webhook-dead-letters": "alarm at once",
    "key-expiring": "alarm below 7 days",
    "certificate-expiring": "alarm below 14 days",
    "usage-log-refusing": "alarm at once",
    "usage-log-buffering": "alarm after 5 min",
    "ledger-unreachable": "alarm after 1 min",
}


def bare_numbers(text: str) -> list[str]:
    """Numbers that nothing follows which would say of what they are; `1h` names a window."""
    numbers = re.finditer(r"(?<![\w.])\d[\d.]*(?!\w)", text)
    return [one.group() for one in numbers if not re.match(UNIT, text[one.end() :])]


def test_every_rule_says_what_it_takes_to_fire() -> None:
    assert {name: alarm(rule) for name, rule in RULES.items()} == ALARMS
    assert [text for text in ALARMS.values() if bare_numbers(text)] == []


def seen() -> dict[str, Finding]:
    """What each rule that judges requests makes of a bad day."""
    terms = AlertTerms()
    bad = requests(1000, failed=400, slow=300, hits=100, cost_nano_usd=3_000_000)
    sums = {length: {scope_of("", ""): bad, provider_scope("openai"): bad} for length in lengths_us(terms)}
    found = findings(terms, sums, {scope_of("", ""): requests(500)})
    return {one.rule: one for one in found if one.value}


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_no_number_of_a_measured_alert_is_without_its_unit(name: str) -> None:
    note = note_of(RULES[name], seen()[name].note)

    assert bare_numbers(note) == [], note
    assert note.endswith(ALARMS[name])


def test_what_alerts_say() -> None:
    notes = {name: note_of(RULES[name], each.note) for name, each in seen().items()}

    assert notes["latency-p95"].startswith("95 % of 1000 requests took at most ")
    assert notes["latency-p95"].endswith(" s; alarm above 5 s for 5 min")
    assert notes["cost-per-request"] == (
        "a request costs 0.003 USD, 200 % more than in the 24 hours before (0.001 USD); "
        "alarm above 20 % for 10 min"
    )
    assert notes["error-budget-burning-fast"].endswith(" times is too fast; alarm after 2 min of that")


@given(st.floats(-1e9, 1e9), st.sampled_from([Unit.RATIO, Unit.SECONDS, Unit.BURN_RATE]))
def test_no_value_is_shown_without_a_unit(value: float, unit: Unit) -> None:
    assert re.search(r"( %| s| min| h| days| of the alarm rate)$", amount(unit, value))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (5, "5 s"), (90, "1.5 min"), (600, "10 min"), (7200, "2 h"), (7 * 86_400, "7 days")],
)
def test_times_are_told_in_the_unit_people_take(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_long_line_keeps_what_it_takes_to_fire() -> None:
    rule: AlertRule = replace(RULES["latency-p95"], threshold=2.5, clear_at=2.0, for_s=0.0)
    note = note_of(rule, "x" * 5000)
    assert len(note) == NOTE_LENGTH_MAX
    assert note.endswith("x; alarm above 2.5 s")
