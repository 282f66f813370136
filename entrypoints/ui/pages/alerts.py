"""What is wrong now, who looks after it, and how objectives stand."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.rendering import shown

HISTORY_MAX: Final = 100
_KINDS: Final = {"ratio": "share", "seconds": "s", "count": "number", "burn_rate": "share"}
Rules = dict[str, dict[str, Any]]
"""Those in force, by name."""
_ASPECTS: Final = {
    "availability": "Availability",
    "error_rate": "Errors",
    "hit_ratio": "Cache hits",
    "latency": "Latency",
    "overhead": "Our own overhead",
}


async def view(ask: Ask) -> Shown:
    """Alerts, objectives and history, or one alert."""
    if ask.item:
        return await _one(ask)
    alerts = await ask.api.get("/api/v1/alerts")
    sla = await ask.tried("/api/v1/sla")
    history = await ask.tried(
        "/api/v1/alerts/history", limit=HISTORY_MAX, before_us=ask.query.get("before_us")
    )
    rules = await ask.tried("/api/v1/alerts/rules")
    in_force = {rule["rule"]: rule for rule in rules.get("rules", [])}
    active = [alert_row(each, in_force.get(each["rule"])) for each in alerts["alerts"]]
    objectives = [objective_row(each) for each in sla.get("objectives", [])]
    return Shown(
        context={"live": "5s", "row_acts": ("acknowledge", "silence", "unsilence")},
        stats=_stats(active, objectives),
        tables=(
            _alerts(active),
            _objectives(objectives),
            _history(history.get("history", []), in_force, history.get("next_before_us")),
            _rules(rules.get("rules", [])),
        ),
        problems=[each.problem for each in (sla, history, rules) if each.problem],
    )


def measured(value: float | None, unit: str) -> str:
    """A value of an alert in its unit."""
    text = shown(value, _KINDS.get(unit, "number"))
    return f"{text} of the alarm rate" if unit == "burn_rate" and value is not None else text


def limit_of(value: float | None, rule: dict[str, Any] | None) -> str:
    """What a value is judged by, in the unit of its rule; of a rule that is gone, the bare number."""
    if rule is None:
        return measured(value, "")
    if rule["unit"] == "count" and not value:
        return "any"
    return ("above " if rule["above"] else "below ") + measured(value, rule["unit"])


def alert_row(each: dict[str, Any], rule: dict[str, Any] | None = None) -> dict[str, Any]:
    """One alert with what can be done about it now."""
    offered = []
    if each["state"] == "firing" and not each["acknowledged_at"]:
        offered.append("acknowledge")
    offered.append("unsilence" if each["silenced_until"] else "silence")
    return {
        **each,
        "about": each["subject"] or "everything",
        "is": measured(each["value"], each["unit"]),
        "limit": limit_of(each["threshold"], rule) if rule else measured(each["threshold"], each["unit"]),
        "for_s": None,
        "acts_offered": offered,
    }


def objective_row(each: dict[str, Any]) -> dict[str, Any]:
    """One objective; burn rates by window, in words."""
    rates = [rate for rate in each["burn_rates"] if rate["long"] is not None]
    fast = max((rate["long"] for rate in rates), default=None)
    limit = f" within {each['limit_ms']:g} ms" if each["limit_ms"] is not None else ""
    return {
        **each,
        "what": f"{_ASPECTS.get(each['aspect'], each['aspect'])}{limit}",
        "scope": each["route"] or each["tenant"] or "everything",
        "state": "unknown" if each["met"] is None else "met" if each["met"] else "missed",
        "window": f"{each['window_s'] / 86_400:g} days",
        "fastest_burn": fast,
        "burning": ", ".join(f"{rate['window']} {rate['long']:.2g}" for rate in rates),
        "alarm": ", ".join(
            f"{rate['window']} {rate['alarm_at']:g}"
            for rate in each["burn_rates"]
            if rate["alarm_at"] is not None
        ),
    }


def _stats(active: list[dict[str, Any]], objectives: list[dict[str, Any]]) -> list[Stat]:
    firing = [each for each in active if each["state"] == "firing"]
    loud = sum(1 for each in firing if each["severity"] == "critical")
    unseen = sum(1 for each in firing if not each["acknowledged_at"] and not each["silenced_until"])
    missed = sum(1 for each in objectives if each["met"] is False)
    judged = sum(1 for each in objectives if each["met"] is not None)
    left = [each["error_budget_left"] for each in objectives if each["error_budget_left"] is not None]
    return [
        Stat(
            "Firing", len(firing), "number", f"{loud} critical" if loud else "", "bad" if firing else "good"
        ),
        Stat("Nobody looks after", unseen, "number", state="warn" if unseen else ""),
        Stat("Pending", len(active) - len(firing), "number", "will fire if it goes on" if active else ""),
        Stat(
            "Objectives missed",
            f"{missed} of {judged}" if judged else None,
            "text",
            state="bad" if missed else "",
        ),
        Stat("Least error budget left", min(left) if left else None, "share", "of all objectives"),
    ]


def _alerts(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="alerts",
        title="Now",
        columns=(
            Column("title", "Alert", link="/ui/alerts/{alert_id}"),
            Column("state", "State", "state"),
            Column("severity", "Severity", "state"),
            Column("about", "About"),
            Column("is", "Is"),
            Column("limit", "Limit"),
            Column("since", "Since", "when"),
            Column("note", "What", wide=True),
            Column("acknowledged_by", "Looked after by", "code", wide=True),
            Column("silenced_until", "Silent until", "when", wide=True),
            Column("firings_last_hour", "Fired in the last hour", "number", wide=True),
        ),
        rows=rows,
        acts=("acknowledge", "silence", "unsilence"),
        empty="Nothing is wrong. Alerts are told by the event alert.fired: make a webhook for alert.* to get "
        "them in Slack, PagerDuty or elsewhere.",
    )


def _objectives(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="objectives",
        title="Objectives",
        columns=(
            Column("name", "Objective"),
            Column("what", "What"),
            Column("scope", "Of"),
            Column("state", "State", "state"),
            Column("target", "Target", "share"),
            Column("good_share", "Reached", "share"),
            Column("good_share_1h", "Last hour", "share", wide=True),
            Column("error_budget_left", "Error budget left", "share"),
            Column("burning", "Burn rates"),
            Column("alarm", "Alarm at", wide=True),
            Column("reached_ms", "Most within", "ms", wide=True),
            Column("requests", "Requests", "number", wide=True),
            Column("bad_requests", "Not good", "number", wide=True),
            Column("window", "Window", wide=True),
        ),
        rows=rows,
        empty="There are no objectives. Declare some under objectives: in the configuration file "
        "(docs/alerts.md).",
    )


def _history(rows: list[dict[str, Any]], rules: Rules, before_us: int | None = None) -> Table:
    return Table(
        name="history",
        title="History",
        more="?" + urlencode({"before_us": before_us}) if before_us else "",
        columns=(
            Column("at", "When", "when"),
            Column("rule", "Alert", link="/ui/alerts/{alert_id}"),
            Column("what", "What happened", "state"),
            Column("subject", "About"),
            Column("was", "Was"),
            Column("limit", "Limit", wide=True),
            Column("note", "Note", wide=True),
            Column("by", "By key", "code", wide=True),
        ),
        rows=[
            {
                **row,
                "was": measured(row["value"], rules.get(row["rule"], {}).get("unit", "")),
                "limit": limit_of(row["threshold"], rules.get(row["rule"])),
            }
            for row in rows
        ],
        empty="Nothing fired in the last 90 days.",
    )


def _rules(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="rules",
        title="Rules in force",
        columns=(
            Column("title", "Alert"),
            Column("severity", "Severity", "state"),
            Column("when", "Fires"),
            Column("for_s", "For (or at once)", "s"),
            Column("window_s", "Looks back", "s", wide=True),
            Column("least", "Requests at least", "number", wide=True),
            Column("enabled", "On", "flag"),
            Column("runbook", "Remedy", "code", wide=True),
        ),
        rows=[
            {
                **rule,
                "for_s": rule["for_s"] or None,
                "when": limit_of(rule["threshold"], rule),
            }
            for rule in rows
        ],
        empty="No rules are in force. They stand under alerts: in the configuration file.",
    )


async def _one(ask: Ask) -> Shown:
    found = await ask.api.get(f"/api/v1/alerts/{quote(ask.item, safe='')}")
    history = await ask.tried("/api/v1/alerts/history", alert_id=found["alert_id"], limit=HISTORY_MAX)
    rules = await ask.tried("/api/v1/alerts/rules")
    in_force = {rule["rule"]: rule for rule in rules.get("rules", [])}
    row = alert_row(found, in_force.get(found["rule"]))
    offered = row["acts_offered"]
    return Shown(
        title=found["title"],
        template="detail.html",
        context={
            "back": ("/ui/alerts", "All alerts"),
            "row_acts": ("acknowledge", "unsilence", *(() if "silence" in offered else ("silence",))),
            "buttons": [name for name in offered if name != "silence"],
            "row": {"alert_id": found["alert_id"]},
            "values": {"silence": {"alert_id": found["alert_id"], "for_s": "3600"}},
            "note": found["note"],
            "facts": (
                (
                    "About",
                    [
                        ("Rule", found["rule"], "code"),
                        ("About", row["about"], "text"),
                        ("Since", found["since"], "when"),
                        ("Fired", found["fired_at"], "when"),
                        ("Told by an event", found["told"], "flag"),
                        ("Fired in the last hour", found["firings_last_hour"], "number"),
                        ("Looked after by", found["acknowledged_by"], "code"),
                        ("Looked after since", found["acknowledged_at"], "when"),
                        ("Silent until", found["silenced_until"], "when"),
                        ("Silenced by", found["silenced_by"], "code"),
                        ("Because", found["silence_reason"], "text"),
                        ("Remedy", found["runbook"], "code"),
                    ],
                ),
            ),
        },
        stats=(
            Stat("State", found["state"], "state"),
            Stat("Severity", found["severity"], "state"),
            Stat("Is", row["is"], "text"),
            Stat("Limit", row["limit"], "text"),
        ),
        tables=(_history(history.get("history", []), in_force),),
        problems=[history.problem] if history.problem else [],
    )


_ALERT: Final = Field("alert_id", "Alert", "hidden")
_SILENCE: Final = "/api/v1/alerts/{alert_id}/silence"
PAGE: Final = Page(
    name="alerts",
    title="Alerts & SLA",
    group="",
    permission="alerts.read",
    view=view,
    about="What is wrong now, who looks after it, and how much of each error budget is left.",
    acts=(
        Act(
            name="acknowledge",
            title="Look after it",
            method="POST",
            path="/api/v1/alerts/{alert_id}/acknowledge",
            permission="alerts.operate",
            done="It is noted that you look after it.",
            fields=(_ALERT,),
        ),
        Act(
            name="silence",
            title="Silence",
            method="POST",
            path=_SILENCE,
            permission="alerts.operate",
            done="Nothing is told of it for that time.",
            fields=(
                _ALERT,
                Field(
                    "for_s",
                    "For so many seconds",
                    "number",
                    "At most 30 days.",
                    required=True,
                    default="3600",
                ),
                Field("reason", "Because"),
            ),
        ),
        Act(
            name="unsilence",
            title="End silence",
            method="POST",
            path=_SILENCE,
            permission="alerts.operate",
            done="It is told again.",
            fields=(_ALERT, Field("for_s", "For", "number", default="0")),
        ),
    ),
)
