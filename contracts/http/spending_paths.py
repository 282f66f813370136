"""Savings against a baseline, patterns of use, and a period at a glance."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, query_parameter
from contracts.http.usage_paths import usage_filters
from contracts.http.words import Schema, array, boolean, integer, maybe, number, obj, one_of, ref, text
from domain.analytics.baseline import NotCounted

_TIME = text("RFC 3339, with a time zone.", format="date-time")
_USD = text("USD as decimal text, exact.", pattern=r"^-?\d+(\.\d+)?$")
_COUNT = integer(minimum=0)
_MONEY = obj({"nano_usd": integer("Exact."), "usd": _USD})
_SHARE = maybe(number("0 to 1; null: there is no whole.", minimum=0, maximum=1))
_TREND = maybe(number("Of the cost, against the time before: 0.1 is a tenth more; null: nothing was spent."))
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_LINE: dict[str, Schema] = {
    "requests": integer("That are counted.", minimum=0),
    "spent": _MONEY,
    "on_baseline": ref("Estimate"),
    "saved": ref("Estimate"),
    "share": maybe(number("`saved` of `on_baseline`, as expected; null: nothing.", maximum=1)),
    "parts": obj(
        {
            "routing": ref("Estimate"),
            "caching": _MONEY,
            "coalescing": _MONEY,
            "prompt_caching": _MONEY,
        },
        description="They add up to `saved`. Caching is less what audits and refreshes cost.",
    ),
    "beside": obj(
        {"requests": _COUNT, "cost": _MONEY}, description="Audits and refreshes, a cost of caching."
    ),
    "hits_at_own_price": integer(
        "Hits counted at what their answers cost, because nothing compares their model.", minimum=0
    ),
    "requests_behind_token_ratios": integer(
        "Most requests that one measured ratio of tokens rests on; 0: all are assumed.", minimum=0
    ),
}

_USE: dict[str, Schema] = {
    "requests": _COUNT,
    "cost_nano_usd": integer("Exact, over what has a known price.", minimum=0),
    "cost_usd": _USD,
}

SPENDING_SCHEMAS: dict[str, Schema] = {
    "BaselineSavings": obj(
        {
            "from": _TIME,
            "to": _TIME,
            "baseline": maybe(text("`provider/model`; null: none is declared for all routes.")),
            "token_uncertainty": number("What is assumed where tokens were not compared.", minimum=0),
            **_LINE,
            "routes": array(
                obj({"route": text(), "baseline": text("`provider/model`."), **_LINE}),
                "What saved most first.",
            ),
            "not_counted": {
                "type": "object",
                "description": "What is in none of these sums, by reason: "
                + ", ".join(f"`{why.value}`" for why in NotCounted)
                + ".",
                "additionalProperties": obj({"requests": _COUNT, "cost": _MONEY}),
            },
            "sampled_requests": integer("Single requests that tokens were compared by.", minimum=0),
            "sample_complete": boolean("Whether they are all there were."),
            "complete": boolean("False: there were more groups than are summed."),
        }
    ),
    "Use": obj(_USE),
    "UsageLeaders": obj(
        {
            "names": integer("How many there are.", minimum=0),
            "concentration": maybe(
                number("Herfindahl-Hirschman index of the costs, 1/names to 1.", minimum=0, maximum=1)
            ),
            "enough_for_80": maybe(integer("How many of the dearest make 80 % of the cost.", minimum=1)),
            "top": array(
                obj(
                    {
                        "name": text(),
                        **_USE,
                        "request_share": _SHARE,
                        "cost_share": _SHARE,
                        "before": ref("Use"),
                        "trend": _TREND,
                    }
                ),
                "The dearest first.",
            ),
        }
    ),
    "UsagePatterns": obj(
        {
            "from": _TIME,
            "to": _TIME,
            "total": ref("Use"),
            "before": {**ref("Use"), "description": "Of the time before, as long."},
            "trend": _TREND,
            "by_hour": array(obj({"hour": integer(minimum=0, maximum=23), **_USE}), "24, UTC."),
            "by_weekday": array(obj({"weekday": one_of(_WEEKDAYS), **_USE}), "Seven, UTC."),
            "burstiness": obj(
                {
                    "hours": _COUNT,
                    "variation": maybe(
                        number("Standard deviation of an hour's requests by the mean.", minimum=0)
                    ),
                    "burst_index": maybe(
                        number(
                            "-1 regular, 0 as by chance, towards 1 in bursts (Goh and Barabási).",
                            minimum=-1,
                            maximum=1,
                        )
                    ),
                    "peak": maybe(number("The busiest hour by the mean one.", minimum=0)),
                }
            ),
            "leaders": {
                "type": "object",
                "description": "By dimension.",
                "additionalProperties": ref("UsageLeaders"),
            },
        }
    ),
    "PeriodReport": obj(
        {
            "month": text("The period, `2030-01` or `2030-W05`."),
            "total": ref("UsageRow"),
            **{
                f"by_{name}": array(ref("UsageRow"), "The dearest first.")
                for name in ("team", "project", "cost_center", "model", "provider", "key")
            },
            "by_day": array(ref("UsageRow"), "In the order of time."),
            "savings": ref("BaselineSavings"),
        }
    ),
}

SPENDING_PATHS: dict[str, Any] = {
    "/api/v1/analytics/savings": {
        "get": operation(
            "readSavings",
            "Usage",
            "What was saved against a baseline, and by what",
            {"200": json_answer(ref("BaselineSavings"), "With intervals."), **admin_errors(400, 503)},
            parameters=[
                query_parameter(
                    "baseline",
                    "`provider/model` in place of what the configuration declares.",
                    text(examples=["openai/gpt-4o"]),
                ),
                *usage_filters(rolled=True),
            ],
            description="Of the last 30 days where no time is given. Money is USD; docs/savings.md says how.",
        )
    },
    "/api/v1/analytics/patterns": {
        "get": operation(
            "readPatterns",
            "Usage",
            "When, by whom and for what models are used",
            {"200": json_answer(ref("UsagePatterns"), "With the time before."), **admin_errors(400, 503)},
            parameters=[
                query_parameter(
                    "of",
                    "Leaders of these: a comma list of the dimensions of usage, without times.",
                    text(examples=["agent,model"]),
                ),
                query_parameter(
                    "top", "At most so many of each.", integer(minimum=1, maximum=100, default=10)
                ),
                *usage_filters(),
            ],
            description="Of the last 30 days where no time is given, at most 366.",
        )
    },
    "/api/v1/analytics/report": {
        "get": operation(
            "readReport",
            "Usage",
            "A month or a week at a glance",
            {
                "200": json_answer(ref("PeriodReport"), "As `interchange report --json`."),
                **admin_errors(400, 503),
            },
            parameters=[
                query_parameter(
                    "period",
                    "A month as `2030-01` or an ISO week as `2030-W05`; the last whole month without it.",
                    text(examples=["2030-01"]),
                ),
                query_parameter("tenant_id", "Only this tenant's.", text()),
                query_parameter(
                    "top", "Lines of each section.", integer(minimum=1, maximum=1000, default=10)
                ),
            ],
        )
    },
}
