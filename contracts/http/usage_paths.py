"""What was used, and for how much."""

from typing import Any

from application.ports.usage_query import TIME_DIMENSIONS, UNROLLED, UsageDimension, UsageOrder
from application.use_cases.export_usage import UsageLevel
from application.use_cases.report_costs import BUCKETS
from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, query_parameter
from contracts.http.words import Schema, array, integer, maybe, number, obj, one_of, ref, text

_TIME = text("RFC 3339, with a time zone.", format="date-time")
_INSTANT = text("An ISO time; UTC without a zone.", examples=["2030-01-31T12:00:00Z"])
_USD = text("USD as decimal text, exact.", pattern=r"^-?\d+(\.\d+)?$")
_COUNT = integer(minimum=0)
_DIMENSIONS = [dimension.value for dimension in UsageDimension]
_LIMITED = [dimension for dimension in UsageDimension if dimension not in TIME_DIMENSIONS]
_IDS = ("tenant", "key", "agent", "user", "session", "workflow")
_BUCKET = query_parameter("bucket", "Length of the periods, UTC.", one_of(["day", "hour", "month"]))


def usage_filters(*, rolled: bool = False) -> list[dict[str, Any]]:
    """Parameters that keep only some requests; `rolled`: those that sums of savings know."""
    hidden = {*UNROLLED, UsageDimension.CACHE} if rolled else frozenset()
    names = [
        (f"{one.value}_id" if one.value in _IDS else one.value, one) for one in _LIMITED if one not in hidden
    ]
    return [
        *(
            query_parameter(
                name, f"Only requests with this {one.value.replace('_', ' ')}; may be repeated.", text()
            )
            for name, one in names
        ),
        query_parameter("from", "Requests started then or later.", _INSTANT),
        query_parameter("to", "Requests started before.", _INSTANT),
    ]


def _file(media_type: str, schema: Schema) -> dict[str, Any]:
    return {media_type: {"schema": schema}}


USAGE_PATHS: dict[str, Any] = {
    "/api/v1/usage": {
        "get": operation(
            "readUsage",
            "Usage",
            "What was used and what it cost",
            {
                "200": {
                    **json_answer(ref("Usage"), "Sums, or a file."),
                    "content": {
                        "application/json": {"schema": ref("Usage")},
                        **_file("text/csv", text("Also of a FOCUS data set.")),
                        **_file("application/jsonl", text("One object per line.")),
                        **_file("application/vnd.apache.parquet", text(format="binary")),
                    },
                },
                **admin_errors(400, 503),
            },
            parameters=[
                query_parameter(
                    "group_by",
                    f"Comma list of {', '.join(_DIMENSIONS)}.",
                    text(examples=["provider,model"]),
                ),
                query_parameter("by", "The same as `group_by`.", text(examples=["team,month"])),
                query_parameter(
                    "limit", "At most so many groups.", integer(minimum=1, maximum=10_000, default=1000)
                ),
                query_parameter("order", "Which groups come first.", one_of(one.value for one in UsageOrder)),
                query_parameter(
                    "format",
                    "`focus` is a FOCUS 1.2 data set as CSV, from the sums by the hour.",
                    one_of(["json", "csv", "jsonl", "parquet", "focus"]),
                ),
                query_parameter(
                    "level", "What one line of a file is.", one_of(level.value for level in UsageLevel)
                ),
                _BUCKET,
                *usage_filters(),
            ],
            description="Of the own tenant; a key that manages tenants sees all of them, or those it names.",
        )
    },
    "/api/v1/analytics/costs": {
        "get": operation(
            "readCosts",
            "Usage",
            "Costs over time, by tenant and integration",
            {"200": json_answer(ref("Costs"), "In the order of time."), **admin_errors(400, 503)},
            parameters=[
                _BUCKET,
                query_parameter(
                    "by",
                    "Groups beside the analytics: a comma list of the dimensions of usage, without times.",
                    text(examples=["team,model"]),
                ),
                *usage_filters(),
            ],
            description="Of the last 30 days where no time is given.",
        )
    },
}

_SUMS: dict[str, Schema] = {
    "requests": _COUNT,
    "ok_requests": _COUNT,
    "attempts": _COUNT,
    "input_tokens": _COUNT,
    "output_tokens": _COUNT,
    "cached_read_tokens": _COUNT,
    "cache_write_tokens": _COUNT,
    "reasoning_tokens": _COUNT,
    "cost_nano_usd": integer("Exact, over what has a known price.", minimum=0),
    "attempt_cost_nano_usd": _COUNT,
    "unpriced_requests": _COUNT,
    "estimated_requests": _COUNT,
    "duration_us": integer("Sum; divide by `requests` for the mean.", minimum=0),
    "upstream_us": integer("Of it, spent waiting for providers.", minimum=0),
    "first_token_us": integer("Sum over `first_token_requests`.", minimum=0),
    "first_token_requests": _COUNT,
    "cache_lookups": integer("Requests that an earlier or shared answer could have answered.", minimum=0),
    "cache_hits": integer("Those that one did.", minimum=0),
    "saved_nano_usd": integer("What hits would have cost, exact, over what is known.", minimum=0),
    "unpriced_hits": integer("Hits of which nobody knows what they saved.", minimum=0),
    "prompt_cache_saved_nano_usd": integer(
        "What providers' prompt caches saved, less the surcharge for writing them; may be negative."
    ),
    "unpriced_prompt_cache_attempts": integer(
        "Attempts with a part in a prompt cache, of which nobody knows what it saved.", minimum=0
    ),
    "cost_usd": _USD,
    "cache_hit_ratio": maybe(number("Hits by look-ups; null: nothing was looked up.", minimum=0, maximum=1)),
    "saved_usd": _USD,
    "prompt_cache_saved_usd": _USD,
}
_HITS = obj(
    {
        "requests": _COUNT,
        "saved_usd": _USD,
        "unpriced_requests": integer("Those of which nobody knows what they saved.", minimum=0),
    }
)

USAGE_SCHEMAS: dict[str, Schema] = {
    "Usage": obj(
        {
            "group_by": array(one_of(_DIMENSIONS)),
            "rows": array(ref("UsageRow"), "The dearest first; one row of sums without `group_by`."),
        }
    ),
    "UsageRow": obj({**{name: text() for name in _DIMENSIONS}, **_SUMS}, optional=_DIMENSIONS),
    "Costs": obj(
        {
            "from": _TIME,
            "to": _TIME,
            "bucket": one_of(BUCKETS),
            "analytics": array(ref("UsageAnalytics")),
            "totals": ref("UsageRow"),
            "savings": ref("Savings"),
            "by": array(one_of(_DIMENSIONS)),
            "groups": array(ref("UsageRow"), "By time and `by`; empty without it."),
        }
    ),
    "Savings": obj(
        {
            "total_usd": _USD,
            "share": maybe(number("Of what all of it would have cost; null: nothing.", maximum=1)),
            "cache_lookups": _COUNT,
            "cache_hits": _COUNT,
            "cache_hit_ratio": maybe(number(minimum=0, maximum=1)),
            "caching": obj(
                {"exact": _HITS, "semantic": _HITS, "stale": _HITS}, description="Answers used again."
            ),
            "coalescing": _HITS,
            "prompt_caching": obj(
                {"saved_usd": _USD, "unpriced_attempts": _COUNT},
                description="Providers' prompt caches, less the surcharge for writing; may be negative.",
            ),
            "not_counted": obj(
                {
                    "unpriced_hits": _COUNT,
                    "unpriced_prompt_cache_attempts": _COUNT,
                    "unpriced_requests": integer("Requests whose cost is not known.", minimum=0),
                },
                description="What nobody knows the price of, and so is in none of these sums.",
            ),
        }
    ),
    "UsageAnalytics": obj(
        {
            "analytics_id": text("Always the same for this tenant, integration and period.", format="uuid"),
            "tenant_id": text(),
            "integration_id": text("The provider, for traffic with models; empty: nobody answered."),
            "time_period_start": _TIME,
            "time_period_end": _TIME,
            "total_requests": _COUNT,
            "total_cost": _USD,
            "average_latency": number("Milliseconds, from the request to the end of its answer.", minimum=0),
            "success_rate": number(minimum=0, maximum=1),
            "provider_breakdown": {
                "type": "object",
                "description": "By `provider/model`.",
                "additionalProperties": ref("ModelCost"),
            },
        }
    ),
    "ModelCost": obj(
        {
            "requests": _COUNT,
            "ok_requests": _COUNT,
            "input_tokens": _COUNT,
            "output_tokens": _COUNT,
            "cost": _USD,
            "unpriced_requests": integer("Requests whose cost is not known.", minimum=0),
        }
    ),
}
