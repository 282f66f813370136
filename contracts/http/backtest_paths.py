"""Backtests: what another policy would have brought on a route."""

from typing import Any, Final

from application.ports.decision_log import RECORDS_MAX
from application.use_cases.backtest_policy import RECORDS_USUAL
from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation
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
from domain.backtest.judging import Refusal, Verdict
from domain.backtest.reading import LeftOut
from domain.experiments.experiment import Metric

_METRICS: Final = [metric.value for metric in Metric]
_TIME: Final = text("RFC 3339, with a time zone.", format="date-time")
_COUNT: Final = integer(minimum=0)
_INTERVAL: Final = maybe(
    obj(
        {"value": number("Of one request."), "low": number("Of 95 %."), "high": number("Of 95 %.")},
        description="Null: it could not be reckoned.",
    )
)
_BODY_EXAMPLE: Final = {
    "route": "assistant",
    "policy": {
        "strategy": "weighted",
        "targets": [
            {"target": "openai/gpt-5", "weight": 3},
            {"target": "anthropic/claude-sonnet-4-5", "weight": 7},
        ],
    },
}

BACKTEST_SCHEMAS: dict[str, Schema] = {
    "BacktestBody": closed(
        obj(
            {
                "route": text("Whose recorded requests are taken.", minLength=1, maxLength=200),
                "policy": {
                    "description": "The name of a route, or what a route of the file may say; `strategy` and "
                    "`targets` count.",
                    "anyOf": [text(minLength=1, maxLength=200), {"type": "object"}],
                },
                "from": maybe(text("Requests that began then or later. Default: 7 days before `to`.")),
                "to": maybe(text("Requests that began before. Default: now.")),
                "metrics": array(
                    one_of(_METRICS),
                    "Default: cost, latency and errors, and quality where answers were scored.",
                ),
                "requests_max": integer(
                    f"The newest so many. Default: {RECORDS_USUAL}.", minimum=1, maximum=RECORDS_MAX
                ),
            },
            optional=("from", "to", "metrics", "requests_max"),
            example=_BODY_EXAMPLE,
        )
    ),
    "Backtest": obj(
        {
            "route": text(),
            "strategy": text("Of the policy."),
            "from": _TIME,
            "to": _TIME,
            "truncated": boolean("Whether there were more requests before `from`, which were not read."),
            "concluded": boolean("Whether every metric was."),
            "requests": integer("That were decided and answered, or that failed.", minimum=0),
            "decisions": integer("Of them, those that the estimates are made of.", minimum=0),
            "drawn": integer("Of them, those whose target was drawn among several.", minimum=0),
            "fell_over": integer("Of them, those that another target was tried for.", minimum=0),
            "left_out": {
                "type": "object",
                "description": "Requests that are in no estimate, by why.",
                "properties": {why.value: _COUNT for why in LeftOut},
                "additionalProperties": _COUNT,
            },
            "effective_min": number("Units that a conclusion needs."),
            "weight_max": number("Larger weights are clipped."),
            "overlap": maybe(
                obj(
                    {
                        "units": integer("Sessions, requests, or an experiment's units.", minimum=0),
                        "effective_sample": number("Kish's effective number of units."),
                        "heaviest_unit": number("Its share of all weight."),
                        "coverage": number("Share of the policy's choices on targets that were tried."),
                        "clipped": number("Share of the weight that was cut off."),
                        "mean_weight": number("Should be `coverage`."),
                    },
                    description="How well the decisions tell of the policy; null: there are none.",
                )
            ),
            "metrics": array(
                obj(
                    {
                        "metric": one_of(_METRICS),
                        "unit": one_of(["usd", "ms", "score", "share"]),
                        "verdict": one_of([verdict.value for verdict in Verdict]),
                        "refusals": array(
                            obj(
                                {
                                    "code": one_of([refusal.value for refusal in Refusal]),
                                    "message": text("What was found, and what would have been enough."),
                                }
                            ),
                            "Why nothing is concluded.",
                        ),
                        "values": maybe(integer("Decisions that have a value.", minimum=0)),
                        "effective_sample": maybe(number("Of them.")),
                        "logged": _INTERVAL,
                        "ips": maybe(number("Inverse propensity score.")),
                        "snips": _INTERVAL,
                        "estimate": _INTERVAL,
                        "change": _INTERVAL,
                    }
                ),
                "`estimate` is doubly robust, `change` is it less `logged`.",
            ),
            "repricing": obj(
                {
                    "requests": integer("Answered and billed ones.", minimum=0),
                    "billed_usd": text("What they cost."),
                    "targets": array(
                        obj(
                            {
                                "target": text(),
                                "same_output_usd": text(),
                                "half_output_usd": text(),
                                "twice_output_usd": text(),
                            }
                        )
                    ),
                },
                description="The same tokens at each target's prices, without any cache: no estimate of what "
                "would have happened.",
            ),
        },
    ),
}

BACKTEST_PATHS: dict[str, Any] = {
    "/api/v1/routing/backtest": {
        "post": operation(
            "backtestRoute",
            "Routing",
            "What another policy would have brought",
            {
                "200": json_answer(
                    ref("Backtest"), "Estimates, or why nothing is concluded. Nothing was sent."
                ),
                **admin_errors(400, 404, 413, 503),
            },
            body="BacktestBody",
            description="From recorded requests of the caller's tenant whose target was drawn with a known "
            "chance: weighted and latency routes, and experiments.",
        )
    },
}
