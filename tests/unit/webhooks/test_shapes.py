"""Events as Slack and PagerDuty take them: rendered, held to what those two accept, and sent with secrets."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.ports.event_log import LoggedEvent
from application.webhooks.shapes import shaped
from contracts.events import examples
from domain.webhooks.format import RESOLVES, TRIGGERS, WebhookFormat, shown_url, speaks_of

AT_US = 1_772_366_415_123_456
KEY = "R0" * 16


def logged(topic: str, data: dict[str, Any]) -> LoggedEvent:
    return LoggedEvent(
        seq=1,
        event_id="evt_" + "0" * 32,
        topic=topic,
        tenant_id="acme",
        payload=json.dumps(data),
        created_at_us=AT_US,
    )


def slack_takes(body: bytes) -> dict[str, Any]:
    """As strict as Slack: it answers 400 `invalid_blocks` to anything else."""
    said = json.loads(body)
    assert set(said) <= {"text", "blocks"} and isinstance(said["text"], str) and said["text"]
    assert 1 <= len(said["blocks"]) <= 50
    for block in said["blocks"]:
        match block["type"]:
            case "header":
                assert block["text"]["type"] == "plain_text" and 1 <= len(block["text"]["text"]) <= 150
            case "section":
                assert ("text" in block) != ("fields" in block)
                texts = [block["text"]] if "text" in block else block["fields"]
                assert 1 <= len(texts) <= 10
                most = 3000 if "text" in block else 2000
                assert all(each["type"] == "mrkdwn" and 1 <= len(each["text"]) <= most for each in texts)
            case "context":
                assert 1 <= len(block["elements"]) <= 10
            case other:
                raise AssertionError(other)
    return said  # type: ignore[no-any-return]


def pagerduty_takes(body: bytes) -> dict[str, Any]:
    """As strict as PagerDuty: it answers 400 `invalid event` to anything else, and takes at most 512 KiB."""
    said = json.loads(body)
    assert re.fullmatch(r"[A-Za-z0-9]{1,100}", said["routing_key"])
    assert said["event_action"] in ("trigger", "resolve", "acknowledge")
    assert 1 <= len(said["dedup_key"]) <= 255
    if said["event_action"] == "trigger":
        payload = said["payload"]
        assert 1 <= len(payload["summary"]) <= 1024 and payload["source"]
        assert payload["severity"] in ("critical", "error", "warning", "info")
        assert all(each["href"].startswith("http") for each in said.get("links", []))
    assert len(body) <= 512 * 1024
    return said  # type: ignore[no-any-return]


@pytest.mark.parametrize("topic", sorted(examples()))
def test_slack_takes_every_event(topic: str) -> None:
    slack_takes(shaped(WebhookFormat.SLACK, logged(topic, examples()[topic])))


@pytest.mark.parametrize("topic", sorted(TRIGGERS | RESOLVES))
def test_pagerduty_takes_what_begins_and_what_ends(topic: str) -> None:
    said = pagerduty_takes(shaped(WebhookFormat.PAGERDUTY, logged(topic, examples()[topic]), KEY))

    assert said["event_action"] == ("resolve" if topic in RESOLVES else "trigger")
    assert said["routing_key"] == KEY


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("alert.fired", "alert.resolved"),
        ("provider.breaker_opened", "provider.breaker_closed"),
        ("integration.breaker_opened", "integration.breaker_closed"),
    ],
)
def test_what_ends_has_the_key_of_what_it_ends(begin: str, end: str) -> None:
    data = examples()[begin]
    keys = {
        pagerduty_takes(shaped(WebhookFormat.PAGERDUTY, logged(topic, data), KEY))["dedup_key"]
        for topic in (begin, end)
    }

    assert len(keys) == 1


def test_an_alert_says_what_is_wrong_in_one_line() -> None:
    event = logged("alert.fired", examples()["alert.fired"])

    slack = slack_takes(shaped(WebhookFormat.SLACK, event))
    pager = pagerduty_takes(shaped(WebhookFormat.PAGERDUTY, event, KEY))

    said = "[CRITICAL] A provider fails: 12 % of 340 attempts at openai failed; alarm above 5 % for 5 min"
    assert slack["text"] == said
    fields = [part["text"] for block in slack["blocks"] for part in block.get("fields", ())]
    assert {"*value*\n12 %", "*threshold*\n5 %"} <= set(fields)
    assert not any(text.startswith("*unit*") for text in fields), "it stands behind the numbers"
    assert pager["payload"]["summary"] == said
    assert pager["payload"]["severity"] == "critical"
    assert pager["dedup_key"] == "al_6a0c1e5bd4f2937a8c11ee02"


def test_nothing_in_an_event_is_markup_for_slack() -> None:
    data = {**examples()["alert.fired"], "note": "<!channel> <https://evil.example|click> & more"}

    body = shaped(WebhookFormat.SLACK, logged("alert.fired", data)).decode()

    assert "<" not in body and ">" not in body


def test_a_pager_is_not_asked_to_tell_of_everything() -> None:
    assert not speaks_of(WebhookFormat.PAGERDUTY, "integration.request_completed")
    assert speaks_of(WebhookFormat.PAGERDUTY, "alert.fired")
    assert speaks_of(WebhookFormat.SLACK, "key.created")


def test_of_slacks_address_only_the_host_is_shown() -> None:
    url = "https://hooks.slack.com/services/T0/B0/secret"

    assert shown_url(WebhookFormat.SLACK, url) == "https://hooks.slack.com/"
    assert shown_url(WebhookFormat.STANDARD, url) == url


@given(
    st.sampled_from(sorted(TRIGGERS | RESOLVES)),
    st.dictionaries(
        st.sampled_from(["note", "title", "severity", "subject", "alert_id", "budget_id", "x"]),
        st.text(max_size=5000)
        | st.integers()
        | st.none()
        | st.booleans()
        | st.lists(st.integers(), max_size=3),
    ),
)
def test_whatever_stands_in_an_event_is_taken(topic: str, data: dict[str, Any]) -> None:
    slack_takes(shaped(WebhookFormat.SLACK, logged(topic, data)))
    pagerduty_takes(shaped(WebhookFormat.PAGERDUTY, logged(topic, data), KEY))


def test_amounts_of_a_budget_alert_have_their_unit() -> None:
    event = logged("cost.budget_alert", examples()["cost.budget_alert"])
    slack = slack_takes(shaped(WebhookFormat.SLACK, event))

    fields = [part["text"] for block in slack["blocks"] for part in block.get("fields", ())]
    assert {"*threshold*\n80 %", "*current_spend_usd*\n40.12500025 USD"} <= set(fields)
    assert not any(text.startswith("*current_spend*") for text in fields), "a bare number"
