"""Objectives, and alerts."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import (
    Schema,
    array,
    boolean,
    closed,
    integer,
    maybe,
    number,
    obj,
    one_of,
    ref,
    text,
)

_TIME = text("RFC 3339, UTC.", format="date-time")
_SHARE = "A share of 1; null: there was nothing to judge."
_ASPECTS = ["availability", "error_rate", "hit_ratio", "latency", "overhead"]
_STATES = ["inactive", "pending", "firing"]
_UNITS = ["ratio", "seconds", "count", "burn_rate"]
_SEVERITIES = ["warning", "critical"]
_ALERT = path_parameter("alert_id", "As the list and the events say, such as `al_6a0c1e5bd4f2937a8c11ee02`.")

ALERT_SCHEMAS: dict[str, Schema] = {
    "Objective": obj(
        {
            "name": text(),
            "aspect": one_of(_ASPECTS, "What is looked at."),
            "target": number("Which share of requests has to be good."),
            "aim": maybe(number("Which share one would like to be good.")),
            "limit_ms": maybe(number("Of latency and overhead: what is good takes at most so long.")),
            "tenant": maybe(text("Null: requests of all tenants.")),
            "route": maybe(text("Null: requests of all routes.")),
            "window_s": integer("Length of the window, up to now."),
            "met": maybe(boolean("Whether it is reached over the window.")),
            "good_share": maybe(number(_SHARE)),
            "good_share_1h": maybe(number("Of the last hour.")),
            "reached_ms": maybe(number("What `target` of the requests stayed within; null: not about time.")),
            "reached_ms_1h": maybe(number("Of the last hour.")),
            "requests": integer("Those that it is about, over the window."),
            "bad_requests": integer("Of these, those that were not good."),
            "error_budget_left": maybe(
                number("Share of the error budget that is left; below 0: it is overdrawn.")
            ),
            "burn_rates": array(
                obj(
                    {
                        "window": text("Name of the pair."),
                        "long_s": integer("Length of the long window."),
                        "short_s": integer("Length of the short window."),
                        "long": maybe(
                            number("How many times faster than allowed; 1 lasts just until the end.")
                        ),
                        "short": maybe(number("The same over the short window.")),
                        "alarm_at": maybe(number("Both at it fire an alert; null: it cannot be reached.")),
                    }
                ),
                "By pair of windows.",
            ),
        },
        example={
            "name": "availability",
            "aspect": "availability",
            "target": 0.999,
            "aim": None,
            "limit_ms": None,
            "tenant": None,
            "route": None,
            "window_s": 2_592_000,
            "met": True,
            "good_share": 0.9996,
            "good_share_1h": 1.0,
            "reached_ms": None,
            "reached_ms_1h": None,
            "requests": 120_000,
            "bad_requests": 48,
            "error_budget_left": 0.6,
            "burn_rates": [
                {"window": "1h", "long_s": 3600, "short_s": 300, "long": 0.0, "short": 0.0, "alarm_at": 14.4}
            ],
        },
    ),
    "Objectives": obj({"objectives": array(ref("Objective"), "Built-in ones first.")}),
    "Alert": obj(
        {
            "alert_id": text("The same for the same rule, subject and tenant."),
            "rule": text(),
            "title": text(),
            "severity": one_of(_SEVERITIES, "`critical`: look now; `warning`: today."),
            "subject": text("What it is about; empty: everything."),
            "note": text("One line for people."),
            "value": maybe(number("As last measured, in `unit`.")),
            "threshold": maybe(number("In `unit`.")),
            "unit": one_of(_UNITS, "Of value and threshold; a ratio of 0.05 is 5 %."),
            "fired_at": maybe(_TIME),
            "runbook": text("Where the remedy is written down."),
            "state": one_of(_STATES, "`pending`: it will fire if it goes on."),
            "since": {**_TIME, "description": "When it came into its state."},
            "told": boolean("Whether `alert.fired` was told of it."),
            "firings_last_hour": integer("How often it fired within the last hour."),
            "silenced_until": maybe(_TIME),
            "silenced_by": maybe(text("Id of a key.")),
            "silence_reason": maybe(text()),
            "acknowledged_at": maybe(_TIME),
            "acknowledged_by": maybe(text("Id of a key.")),
        }
    ),
    "Alerts": obj({"alerts": array(ref("Alert"), "Firing ones first, the newest first.")}),
    "AlertHistory": obj(
        {
            "history": array(
                obj(
                    {
                        "at": _TIME,
                        "at_us": integer("The same in UTC epoch microseconds."),
                        "alert_id": text(),
                        "rule": text(),
                        "subject": text(),
                        "what": one_of(
                            ["fired", "resolved", "silenced", "unsilenced", "acknowledged"], "What happened."
                        ),
                        "value": maybe(number("As it was then.")),
                        "threshold": maybe(number("As it was then.")),
                        "note": text(),
                        "by": maybe(text("Id of a key; null: the monitor.")),
                    }
                ),
                "Newest first.",
            ),
            "next_before_us": maybe(integer("For `before_us`; null: that was all.")),
        }
    ),
    "AlertRules": obj(
        {
            "rules": array(
                obj(
                    {
                        "rule": text(),
                        "title": text(),
                        "like": maybe(text("The built-in rule that it is like.")),
                        "severity": one_of(_SEVERITIES, "How urgent."),
                        "unit": one_of(_UNITS, "Of the thresholds."),
                        "above": boolean("Whether it is bad above the threshold; else below it."),
                        "threshold": number("In `unit`."),
                        "clear_at": number("Where it is good again, in `unit`."),
                        "for_s": number("How long it must be so before it fires."),
                        "resolve_s": number("How long it must be good before it is over."),
                        "window_s": maybe(number("How far back each look goes.")),
                        "least": maybe(integer("With fewer requests nothing is judged.")),
                        "tenant": maybe(text("Only requests of this tenant.")),
                        "route": maybe(text("Only requests of this route.")),
                        "enabled": boolean("Whether it fires."),
                        "runbook": text("Where the remedy is written down."),
                    }
                ),
                "Those in force.",
            )
        }
    ),
    "Silence": closed(
        obj(
            {
                "for_s": number(
                    "In seconds, at most 30 days; 0 ends a silence.", minimum=0, maximum=2_592_000
                ),
                "reason": text("One line.", maxLength=200),
            },
            optional=["reason"],
            example={"for_s": 3600, "reason": "the provider works on it"},
        )
    ),
}

_ONE = {"200": json_answer(ref("Alert"), "The alert as it is now."), **admin_errors(404, 503)}

ALERT_PATHS: dict[str, Any] = {
    "/api/v1/sla": {
        "get": operation(
            "showSla",
            "Alerts",
            "How objectives stand: what was reached, error budgets, burn rates",
            {
                "200": json_answer(ref("Objectives"), "Of the tenant; the operator's sees all."),
                **admin_errors(400, 503),
            },
        )
    },
    "/api/v1/alerts": {
        "get": operation(
            "listAlerts",
            "Alerts",
            "What fires, and what will if it goes on",
            {"200": json_answer(ref("Alerts"), "Of the tenant of the key."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("rule", "Only this rule's.", text()),
                query_parameter("state", "Only these; left out: pending and firing.", one_of(_STATES)),
            ],
        )
    },
    "/api/v1/alerts/history": {
        "get": operation(
            "listAlertHistory",
            "Alerts",
            "What fired, was over, was silenced and acknowledged",
            {"200": json_answer(ref("AlertHistory"), "Of the last 90 days."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("alert_id", "Only this alert's.", text()),
                query_parameter("before_us", "Only from before, in UTC epoch microseconds.", integer()),
                query_parameter("limit", "At most so many, 1 to 1000.", integer()),
            ],
        )
    },
    "/api/v1/alerts/rules": {
        "get": operation(
            "listAlertRules",
            "Alerts",
            "When alerts fire",
            {"200": json_answer(ref("AlertRules"), "As the configuration says."), **admin_errors(400)},
        )
    },
    "/api/v1/alerts/{alert_id}": {
        "get": operation(
            "showAlert", "Alerts", "One alert", {**_ONE, **admin_errors(400, 404, 503)}, parameters=[_ALERT]
        )
    },
    "/api/v1/alerts/{alert_id}/silence": {
        "post": operation(
            "silenceAlert",
            "Alerts",
            "Tell nothing of it for some time",
            {
                **_ONE,
                **admin_errors(400, 404, 413, 503),
                **errors(("Error",), 409, meanings={409: "It changed all the time; try again."}),
            },
            parameters=[_ALERT],
            body="Silence",
        )
    },
    "/api/v1/alerts/{alert_id}/acknowledge": {
        "post": operation(
            "acknowledgeAlert",
            "Alerts",
            "Say that somebody looks after it",
            {**_ONE, **errors(("Error",), 409, meanings={409: "It does not fire."})},
            parameters=[_ALERT],
        )
    },
}
