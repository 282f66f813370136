"""Events in the shapes of Slack and PagerDuty. Pure.

Slack: incoming webhooks with blocks (api.slack.com/messaging/webhooks, /reference/block-kit). PagerDuty:
Events API v2 (developer.pagerduty.com/docs/events-api-v2). Lengths are those that they accept.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from application.events.writing import moment_text
from application.ports.event_log import LoggedEvent
from application.webhooks.sharing import data_of
from application.webhooks.telling import body_of
from domain.events import ALERT_FIRED, ALERT_RESOLVED, BUDGET_ALERT, WEBHOOK_TEST
from domain.sla.rules import Unit
from domain.sla.words import amount, percent, span
from domain.webhooks.format import RESOLVES, WebhookFormat

HEADER_LENGTH_MAX: Final = 150
TEXT_LENGTH_MAX: Final = 2900
FIELD_LENGTH_MAX: Final = 1900
FIELDS_MAX: Final = 10
SUMMARY_LENGTH_MAX: Final = 1024
DEDUP_KEY_LENGTH_MAX: Final = 255
SOURCE: Final = "interchange"
_SAID_IN_USD: Final = frozenset({"current_spend", "budget_limit", "utilization_percentage"})
"""Of a budget alert: the line above tells them, or the same in USD follows."""
_LONG_TEXTS: Final = frozenset({"note", "title", "timestamp"})


def shaped(form: WebhookFormat, event: LoggedEvent, routing_key: str = "") -> bytes:
    """What is sent, the same bytes at every attempt. `routing_key` is PagerDuty's."""
    if form is WebhookFormat.STANDARD:
        return body_of(event)
    data = data_of(event)
    made = (
        slack_message(event, data) if form is WebhookFormat.SLACK else pager_event(event, data, routing_key)
    )
    return json.dumps(made, ensure_ascii=False).encode("utf-8", "replace")


def slack_message(event: LoggedEvent, data: Mapping[str, Any]) -> dict[str, Any]:
    """`text` is for notifications and readers without blocks."""
    head, line = headline(event.topic, data), summary(event.topic, data)
    facts = [
        {"type": "mrkdwn", "text": f"*{_escaped(name)}*\n{_escaped(_worded(value))}"[:FIELD_LENGTH_MAX]}
        for name, value in _with_units(event.topic, data).items()
        if name not in _LONG_TEXTS and value not in (None, "") and not isinstance(value, dict | list)
    ][:FIELDS_MAX]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": head[:HEADER_LENGTH_MAX]}},
        {"type": "section", "text": {"type": "mrkdwn", "text": _escaped(line)[:TEXT_LENGTH_MAX]}},
    ]
    if facts:
        blocks.append({"type": "section", "fields": facts})
    told = f"{event.topic} · {event.tenant_id} · {moment_text(event.created_at_us)} · {event.event_id}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(told)}]})
    return {"text": _escaped(f"{head}: {line}")[:TEXT_LENGTH_MAX], "blocks": blocks}


def pager_event(event: LoggedEvent, data: Mapping[str, Any], routing_key: str) -> dict[str, Any]:
    """A trigger, or the resolve that ends it: both have the same `dedup_key`."""
    made: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if event.topic in RESOLVES else "trigger",
        "dedup_key": dedup_key(event, data)[:DEDUP_KEY_LENGTH_MAX],
    }
    if event.topic in RESOLVES:
        return made
    said = f"{headline(event.topic, data)}: {summary(event.topic, data)}"
    made["payload"] = {
        "summary": said[:SUMMARY_LENGTH_MAX],
        "source": SOURCE,
        "severity": severity(event.topic, data),
        "timestamp": moment_text(event.created_at_us),
        "component": str(data.get("subject") or data.get("provider") or event.tenant_id),
        "group": event.tenant_id,
        "class": str(data.get("rule") or event.topic),
        "custom_details": dict(data),
    }
    runbook = str(data.get("runbook") or "")
    if runbook.startswith(("https://", "http://")):
        made["links"] = [{"href": runbook, "text": "Runbook"}]
    return made


def dedup_key(event: LoggedEvent, data: Mapping[str, Any]) -> str:
    """The same for what begins and what ends it."""
    if event.topic in (ALERT_FIRED, ALERT_RESOLVED):
        return str(data.get("alert_id") or f"alert:{event.tenant_id}:{data.get('rule')}")
    if event.topic == BUDGET_ALERT:
        return f"budget:{data.get('budget_id')}:{data.get('subject')}"
    if event.topic == WEBHOOK_TEST:
        return f"test:{data.get('endpoint_id')}"
    about = data.get("integration_id") or f"{data.get('provider')}:{data.get('target')}"
    return f"breaker:{event.tenant_id}:{about}:{data.get('instance')}"


def severity(topic: str, data: Mapping[str, Any]) -> str:
    """One of PagerDuty's four."""
    if topic == WEBHOOK_TEST:
        return "info"
    return "critical" if data.get("severity") == "critical" else "warning"


def headline(topic: str, data: Mapping[str, Any]) -> str:
    """A few words."""
    if topic == ALERT_FIRED:
        return f"[{str(data.get('severity')).upper()}] {data.get('title')}"
    if topic == ALERT_RESOLVED:
        return f"[OVER] {data.get('title')}"
    return {BUDGET_ALERT: "Budget alert", WEBHOOK_TEST: "Test of this endpoint"}.get(topic, topic)


def summary(topic: str, data: Mapping[str, Any]) -> str:
    """One line."""
    if topic in (ALERT_FIRED, ALERT_RESOLVED):
        return str(data.get("note") or data.get("subject") or data.get("rule"))
    if topic == BUDGET_ALERT:
        spent, limit = data.get("current_spend_usd"), data.get("budget_limit_usd")
        return f"{data.get('budget_name')}: {spent} of {limit} USD ({data.get('utilization_percentage')} %)"
    about = [data.get(name) for name in ("integration_id", "provider", "target", "endpoint_id", "name")]
    return ", ".join(str(each) for each in about if each) or topic


def _with_units(topic: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same where bare numbers would be shown: with the unit they have."""
    if topic in (ALERT_FIRED, ALERT_RESOLVED) and data.get("unit") in {unit.value for unit in Unit}:
        unit = Unit(data["unit"])
        told = {
            name: amount(unit, value)
            for name in ("value", "threshold")
            if isinstance(value := data.get(name), int | float)
        }
        lasted = {"lasted_s": span(data["lasted_s"])} if "lasted_s" in data else {}
        return {name: value for name, value in {**data, **told, **lasted}.items() if name != "unit"}
    if topic == BUDGET_ALERT:
        shown = {name: value for name, value in data.items() if name not in _SAID_IN_USD}
        return {
            name: f"{value} USD"
            if name.endswith("_usd")
            else percent(value)
            if name == "threshold"
            else value
            for name, value in shown.items()
        }
    return data


def _worded(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    """What Slack would take for markup or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
