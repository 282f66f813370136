"""What usage comes to, and where it left what was usual."""

from typing import Any

from application.ports.usage_query import TIME_DIMENSIONS, UNROLLED, UsageDimension
from application.use_cases.find_anomalies import CONTRIBUTORS, DAYS_MAX
from application.use_cases.forecast_usage import FORECAST_UNITS, HORIZON_DAYS, ForecastMetric
from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, query_parameter
from contracts.http.usage_paths import usage_filters
from contracts.http.words import Schema, array, boolean, integer, maybe, number, obj, one_of, ref, text
from domain.anomalies.detector import Kind, Severity
from domain.anomalies.metrics import UNITS, Metric
from domain.forecasting.forecast import HISTORY_DAYS_MAX, HORIZON_DAYS_MAX

_TIME = text("RFC 3339, with a time zone.", format="date-time")
_DATE = text("UTC.", format="date")
_COUNT = integer(minimum=0)
_SHARE = maybe(number("As a share; null: too little to say.", minimum=0))
_GROUPS = [one for one in UsageDimension if one not in TIME_DIMENSIONS and one not in UNROLLED]

_FILTERS = usage_filters(rolled=True)
_GROUP: Schema = {
    "type": "object",
    "description": "The value of `by`; empty without it.",
    "additionalProperties": text(),
}
_BY = query_parameter(
    "by",
    "One for each of the 20 groups that cost most, instead of one for all together.",
    one_of(one.value for one in _GROUPS),
)
_BOUND = maybe(integer("Null: nothing is known of errors.", minimum=0))
_EXPECTED: dict[str, Schema] = {
    "point": integer("Of the unit.", minimum=0),
    "low_80": _BOUND,
    "high_80": _BOUND,
    "low_95": _BOUND,
    "high_95": _BOUND,
    "point_usd": text("Of metric cost: the same as decimal text.", pattern=r"^\d+(\.\d+)?$"),
}
_DAY = {"date": "2030-06-15", "point": 12500000000, "low_80": 10900000000, "high_80": 14100000000}
_EXAMPLE_TOTAL = {
    **{name: value * 7 for name, value in _DAY.items() if isinstance(value, int)},
    "low_95": 71000000000,
    "high_95": 104000000000,
    "point_usd": "87.5",
}

OUTLOOK_PATHS: dict[str, Any] = {
    "/api/v1/analytics/forecast": {
        "get": operation(
            "readForecast",
            "Usage",
            "What usage comes to in the days ahead, and by the end of the month",
            {
                "200": json_answer(ref("Forecasts"), "Points with intervals, and how they did before."),
                **admin_errors(400, 503),
            },
            parameters=[
                query_parameter("metric", "", one_of(one.value for one in ForecastMetric)),
                query_parameter(
                    "horizon_days",
                    "Days ahead, today included.",
                    integer(minimum=1, maximum=HORIZON_DAYS_MAX, default=HORIZON_DAYS),
                ),
                _BY,
                *_FILTERS,
            ],
            description=f"From the sums of whole days, of {HISTORY_DAYS_MAX} at most. `to` is the moment to "
            "look ahead from (now), `from` the beginning of the history.",
        )
    },
    "/api/v1/analytics/anomalies": {
        "get": operation(
            "readAnomalies",
            "Usage",
            "Hours that were out of the ordinary, and who moved them",
            {"200": json_answer(ref("Anomalies"), "The newest first."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("metric", "", one_of(["all", *(one.value for one in Metric)])),
                _BY,
                *_FILTERS,
            ],
            description=f"Of the last seven days, if no time is given, and of {DAYS_MAX} at most; from the "
            "sums by the hour, of whole hours. What is usual is learned from the 56 days before.",
        )
    },
}

OUTLOOK_SCHEMAS: dict[str, Schema] = {
    "Forecasts": obj(
        {
            "metric": one_of(one.value for one in ForecastMetric),
            "unit": one_of(FORECAST_UNITS.values()),
            "horizon_days": _COUNT,
            "by": maybe(one_of(one.value for one in _GROUPS)),
            "forecasts": array(ref("Forecast"), "One, or one for each group."),
        }
    ),
    "Forecast": obj(
        {
            "group": _GROUP,
            "history": array(obj({"date": _DATE, "amount": _COUNT}), "Whole days, the oldest first."),
            "history_days": integer("Of them, since the first use.", minimum=0),
            "unpriced_requests": integer("Requests whose cost is not known.", minimum=0),
            "today": obj({"date": _DATE, "so_far": _COUNT}, description="The first day ahead."),
            "days": array(obj({"date": _DATE, **_EXPECTED}, optional=["point_usd"])),
            "total": maybe(ref("ExpectedAmount")),
            "month": maybe(ref("ExpectedMonth")),
            "way": maybe(
                one_of(["steady", "recent", "growing"], "How the level is carried on; what did best before.")
            ),
            "back_test": maybe(ref("BackTest")),
            "caveats": array(text(), "What keeps this from being reliable."),
        }
    ),
    "ExpectedAmount": obj(
        _EXPECTED,
        optional=["point_usd"],
        description="Of all days together. Its intervals are its own, not sums of those of days.",
        example=_EXAMPLE_TOTAL,
    ),
    "ExpectedMonth": obj(
        {"month": text(examples=["2030-06"]), "so_far": _COUNT, **_EXPECTED},
        optional=["point_usd"],
        description="All of the month of today.",
    ),
    "BackTest": obj(
        {
            "origins": integer("Past days from which it was made anew.", minimum=0),
            "days_ahead": integer("That the rest is about.", minimum=0),
            "total_error": _SHARE,
            "daily_error": _SHARE,
            "coverage_80": _SHARE,
            "coverage_95": _SHARE,
        },
        description="Mean absolute errors of sums and of single days; the share of days within intervals.",
        example={
            "origins": 114,
            "days_ahead": 7,
            "total_error": 0.052,
            "daily_error": 0.073,
            "coverage_80": 0.82,
            "coverage_95": 0.95,
        },
    ),
    "Anomalies": obj(
        {
            "from": _TIME,
            "to": _TIME,
            "by": maybe(one_of(one.value for one in _GROUPS)),
            "history_hours": integer("That there was to learn from, since the first use.", minimum=0),
            "anomalies": array(ref("Anomaly")),
        }
    ),
    "Anomaly": obj(
        {
            "metric": one_of(one.value for one in Metric),
            "unit": one_of(UNITS.values(), "Of observed, expected and strays."),
            "group": _GROUP,
            "start": _TIME,
            "end": text("Exclusive.", format="date-time"),
            "open": boolean("Whether it reaches to the newest whole hour."),
            "kind": one_of(
                (one.value for one in Kind),
                "Spike and drop: more and less, for under twelve hours so far. Shift: another level, for "
                "twelve hours and longer. Drift: little by little, over days.",
            ),
            "severity": one_of(one.value for one in Severity),
            "score": number(
                "How far off: 4 is the most that is usual of the series, 8 and more is critical.", minimum=0
            ),
            "observed": number("Mean of the strange hours.", minimum=0),
            "expected": number("What is usual then.", minimum=0),
            "strays": number("How far a usual hour lies from it at most, on this side.", minimum=0),
            "change": integer(
                "Observed less expected of the whole window: nano-dollars, requests, failed requests, or "
                "microseconds that requests took longer."
            ),
            "requests": _COUNT,
            "text": text(examples=["spending was $41.20 an hour, usual is $9.80 an hour ± $4.10"]),
            "contributors": maybe(array(ref("Contributor"), "Null for all but the five newest.")),
        }
    ),
    "Contributor": obj(
        {
            "dimension": one_of(one.value for one in CONTRIBUTORS),
            "value": text(),
            "amount": integer("In the window.", minimum=0),
            "before": integer("In the same hours a week before, or a day.", minimum=0),
            "share": number("Of all that changed. Dimensions tell the same change again."),
        }
    ),
}
