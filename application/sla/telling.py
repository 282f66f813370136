"""What is told and remembered of alerts."""

from typing import Any, Final

from application.events.writing import event_of, moment_text
from application.ports.alerts import HistoryEntry
from application.ports.outbox import OutboxEvent
from application.sla.terms import AlertTerms
from domain.events import ALERT_FIRED, ALERT_RESOLVED
from domain.sla.alert import Alert, Change
from domain.sla.rules import RULES

_US: Final = 1_000_000


def change_event(alert: Alert, change: Change, terms: AlertTerms, now_us: int) -> OutboxEvent:
    """Told once for each time it fired, and once for each time that was over."""
    topic = ALERT_FIRED if change is Change.FIRED else ALERT_RESOLVED
    data = alert_facts(alert, terms)
    if change is Change.RESOLVED:
        lasted_us = now_us - (alert.fired_at_us or now_us)
        data |= {"resolved_at": moment_text(now_us), "lasted_s": max(0, lasted_us // _US)}
    return event_of(topic, alert.tenant_id, f"{topic}:{alert.alert_id}:{alert.fired_at_us}", data, now_us)


def alert_facts(alert: Alert, terms: AlertTerms) -> dict[str, Any]:
    """What an alert is about, as events say it. Of a rule that is not there any more, what is still known."""
    rule = terms.rules.get(alert.rule) or RULES.get(alert.rule)
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "title": alert.rule if rule is None else rule.title,
        "severity": "warning" if rule is None else rule.severity.value,
        "subject": alert.subject,
        "note": alert.note,
        "value": alert.value,
        "threshold": alert.threshold,
        "unit": "count" if rule is None else rule.unit.value,
        "fired_at": None if alert.fired_at_us is None else moment_text(alert.fired_at_us),
        "runbook": terms.runbook(alert.rule),
    }


def history_of(
    alert: Alert, what: str, now_us: int, *, by: str = "", note: str | None = None
) -> HistoryEntry:
    """One line of the alert's history."""
    return HistoryEntry(
        f"{alert.alert_id}:{now_us}:{what}:{alert.revision}",
        now_us,
        alert.alert_id,
        alert.tenant_id,
        alert.rule,
        alert.subject,
        what,
        alert.value,
        alert.threshold,
        alert.note if note is None else note,
        by,
    )
