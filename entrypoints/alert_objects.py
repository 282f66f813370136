"""Objectives and alerts as the API shows them."""

from typing import Any

from application.events.writing import moment_text
from application.ports.alerts import HistoryEntry
from application.sla.telling import alert_facts
from application.sla.terms import AlertTerms
from application.use_cases.report_sla import Standing
from domain.sla.alert import Alert
from domain.sla.rules import AlertRule


def standing_object(standing: Standing) -> dict[str, Any]:
    """Shares are of 1; null: nothing to judge."""
    objective = standing.objective
    return {
        "name": objective.name,
        "aspect": objective.aspect.value,
        "target": objective.target,
        "aim": objective.aim,
        "limit_ms": objective.limit_ms,
        "tenant": objective.tenant_id or None,
        "route": objective.route or None,
        "window_s": objective.window_us // 1_000_000,
        "met": standing.met,
        "good_share": standing.tally.good_share,
        "good_share_1h": standing.lately.good_share,
        "reached_ms": standing.reached_ms,
        "reached_ms_1h": standing.reached_lately_ms,
        "requests": round(standing.tally.whole),
        "bad_requests": round(standing.tally.bad),
        "error_budget_left": standing.budget_left,
        "burn_rates": [
            {
                "window": each.name,
                "long_s": round(each.long_s),
                "short_s": round(each.short_s),
                "long": each.long_rate,
                "short": each.short_rate,
                "alarm_at": each.alarm_at if each.watched else None,
            }
            for each in standing.burning
        ],
    }


def alert_object(alert: Alert, terms: AlertTerms, now_us: int) -> dict[str, Any]:
    """One alert as it is."""
    facts = alert_facts(alert, terms)
    silenced = alert.silenced(now_us)
    return {
        **facts,
        "state": alert.state.value,
        "since": moment_text(alert.since_us),
        "told": alert.told,
        "firings_last_hour": len(alert.firings),
        "silenced_until": _text(alert.silenced_until_us) if silenced else None,
        "silenced_by": alert.silenced_by or None if silenced else None,
        "silence_reason": alert.silence_reason or None if silenced else None,
        "acknowledged_at": _text(alert.acknowledged_at_us),
        "acknowledged_by": alert.acknowledged_by or None,
    }


def entry_object(entry: HistoryEntry) -> dict[str, Any]:
    """One line of the history."""
    return {
        "at": moment_text(entry.at_us),
        "at_us": entry.at_us,
        "alert_id": entry.alert_id,
        "rule": entry.rule,
        "subject": entry.subject,
        "what": entry.what,
        "value": entry.value,
        "threshold": entry.threshold,
        "note": entry.note,
        "by": entry.by or None,
    }


def rule_object(rule: AlertRule, terms: AlertTerms) -> dict[str, Any]:
    """One rule as it is in force."""
    return {
        "rule": rule.name,
        "title": rule.title,
        "like": rule.kind or None,
        "severity": rule.severity.value,
        "unit": rule.unit.value,
        "above": rule.above,
        "threshold": rule.threshold,
        "clear_at": rule.clear_at,
        "for_s": rule.for_s,
        "resolve_s": rule.resolve_s,
        "window_s": rule.window_s or None,
        "least": rule.least or None,
        "tenant": rule.tenant_id or None,
        "route": rule.route or None,
        "enabled": rule.enabled,
        "runbook": terms.runbook(rule.name),
    }


def _text(at_us: int | None) -> str | None:
    return None if at_us is None else moment_text(at_us)
