"""Feedback on answers, and how good those of each model are."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, query_parameter
from contracts.http.words import Schema, array, closed, integer, maybe, number, obj, one_of, ref, text
from domain.quality.feedback import COMMENT_CHARS_MAX, LABEL_CHARS_MAX, SOURCE_CHARS_MAX
from domain.quality.tasks import TASKS

_TIME = text("RFC 3339, UTC.", format="date-time")
_USD = maybe(text("USD as decimal text, exact; null: unknown.", pattern=r"^-?\d+(\.\d+)?$"))
_SHARE: dict[str, Any] = {"minimum": 0, "maximum": 1}
_NAMES = {
    "provider": "The operator's name of who answered.",
    "model": "The model that answered, as its provider names it.",
    "task": "The kind of task.",
    "route": "The route it took.",
}
_EXAMPLE = {"request_id": "req_01k9z1", "rating": 4, "comment": "Right, but too long."}
_COUNTED: dict[str, Schema] = {
    "opinions": number("Feedback with a score, and half of what judges scored.", minimum=0),
    "feedback": ref("FeedbackCounts"),
    "judge": ref("JudgeCounts"),
    "checks": ref("CheckCounts"),
    "requests": integer("Answers of the time asked for, by whole days (UTC).", minimum=0),
    "truncated_rate": maybe(ref("ShareInterval")),
    "refusal_rate": maybe(ref("ShareInterval")),
    "empty_rate": maybe(ref("ShareInterval")),
    "cut_rate": maybe(ref("ShareInterval")),
    "latency_ms": maybe(number("Mean time to the whole answer, in milliseconds.", minimum=0)),
    "cost_usd": _USD,
    "cost_per_request_usd": _USD,
    "unpriced_requests": integer("Requests whose cost is not known, and is in neither sum.", minimum=0),
}

QUALITY_SCHEMAS: dict[str, Schema] = {
    "NewFeedback": closed(
        obj(
            {
                "request_id": text("The `x-request-id` of the answer.", minLength=1, maxLength=200),
                "rating": maybe(integer("1 (worst) to 5 (best).", minimum=1, maximum=5)),
                "thumbs": maybe(one_of(["up", "down"], "Worth 1 and 0.")),
                "score": maybe(number("0 (worst) to 1 (best).", **_SHARE)),
                "label": maybe(
                    text(
                        "A word of yours. `accepted`, `correct`, `good` and `helpful` are worth 1, `bad`, "
                        "`incorrect`, `rejected`, `unhelpful` and `unsafe` 0; others are only counted.",
                        minLength=1,
                        maxLength=LABEL_CHARS_MAX,
                    )
                ),
                "source": text("Tells several who speak with one key apart.", maxLength=SOURCE_CHARS_MAX),
                "comment": text(
                    "Kept without the personal data that is found in it.", maxLength=COMMENT_CHARS_MAX
                ),
            },
            optional=["rating", "thumbs", "score", "label", "source", "comment"],
            description="Exactly one of rating, thumbs, score and label.",
            example=_EXAMPLE,
        )
    ),
    "Feedback": obj(
        {
            "request_id": text(),
            "tenant_id": text(),
            "key_id": text("The key it was given with."),
            "source": text(),
            "kind": one_of(["rating", "thumbs", "score", "label"]),
            "said": text("As it was given."),
            "score": maybe(number("What it is worth; null: a label that is worth nothing.", **_SHARE)),
            "comment": text("Without personal data."),
            "given_at": _TIME,
            "asked_at": {**_TIME, "description": "When the request came."},
            "user_id": text("The user the request was for."),
            "agent_id": text("The agent that asked."),
            **{name: text(what) for name, what in _NAMES.items()},
        },
        example={
            **_EXAMPLE,
            "tenant_id": "default",
            "key_id": "Key000000001",
            "source": "",
            "kind": "rating",
            "said": "4",
            "score": 0.75,
            "given_at": "2026-11-21T19:00:00.000000+00:00",
            "asked_at": "2026-11-21T18:59:00.000000+00:00",
            "user_id": "",
            "agent_id": "researcher",
            "provider": "acme",
            "model": "small",
            "task": "chat",
            "route": "assistant",
        },
    ),
    "FeedbackList": obj(
        {
            "feedback": array(ref("Feedback"), "The newest first."),
            "next": maybe(text("For `after`: the page behind this one. Null: there is none.")),
        }
    ),
    "ShareInterval": obj(
        {
            "value": number("From 0 to 1.", **_SHARE),
            "low": number("Lower end of the 95 % interval.", **_SHARE),
            "high": number("Upper end of the 95 % interval.", **_SHARE),
        },
        description="A share or a mean score, with the interval it lies in.",
    ),
    "DifferenceInterval": obj(
        {name: number(minimum=-1, maximum=1) for name in ("value", "low", "high")},
        description="The first model's less the second's, with its 95 % interval.",
    ),
    "FeedbackCounts": obj(
        {
            "count": integer("Feedback that is worth a score.", minimum=0),
            "mean": maybe(ref("ShareInterval")),
            "labels": integer("Feedback with a label that is worth none.", minimum=0),
        }
    ),
    "JudgeCounts": obj(
        {"count": integer("Answers that a judge scored.", minimum=0), "mean": maybe(ref("ShareInterval"))}
    ),
    "CheckCounts": obj(
        {
            "count": integer("Answers of the sample whose text was checked.", minimum=0),
            "failed": integer("Those of which anything was found.", minimum=0),
            "failing_rate": maybe(ref("ShareInterval")),
            "refusals": integer("Those that refuse.", minimum=0),
            "invalid_json": integer("Those that are not the JSON that was asked for.", minimum=0),
        }
    ),
    "QualityRow": obj(
        {
            **{
                name: maybe(text(f"{what} Null: all, because it was not asked for in `by`."))
                for name, what in _NAMES.items()
            },
            "quality": ref("ShareInterval"),
            "declared": maybe(number("What the catalogue or the operator says; null: nothing.", **_SHARE)),
            **_COUNTED,
        },
        description="`quality` is what to expect: opinions shrunk to the declared quality, less what fails.",
    ),
    "QualityTable": obj(
        {
            "days": integer("How many last days, today included.", minimum=1),
            "by": array(text()),
            "rows": array(ref("QualityRow"), "The busiest first."),
        }
    ),
    "ComparedModel": obj({"model": text("As it was named."), **_COUNTED}),
    "TaskComparison": obj(
        {
            "task": text("The kind of task."),
            "better": maybe(text("The model that people and judges think more of; null: nobody can say.")),
            "why": text("Why one is better, or why nobody can say."),
            "difference": maybe(ref("DifferenceInterval")),
            "failing_difference": maybe(ref("DifferenceInterval")),
            "models": array(ref("ComparedModel"), "The two, in the order asked for."),
        }
    ),
    "ModelComparison": obj(
        {
            "days": integer("How many last days, today included.", minimum=1),
            "models": array(text()),
            "tasks": array(ref("TaskComparison"), "Tasks that both were asked."),
        },
        description="From what happened, not from an experiment: the two may have been asked other things.",
    ),
}

_TENANT = query_parameter("tenant_id", "Only this tenant's.", text())
_DAYS = query_parameter("days", "How many last days, today included.", integer(minimum=1, maximum=365))
_TASK = query_parameter("task", "Only tasks of this kind.", one_of(TASKS))


def _only(*names: str) -> list[dict[str, Any]]:
    return [query_parameter(name, f"Only this {name}'s.", text()) for name in names]


QUALITY_PATHS: dict[str, Any] = {
    "/api/v1/feedback": {
        "get": operation(
            "listFeedback",
            "Usage",
            "What was said of answers",
            {"200": json_answer(ref("FeedbackList"), "The newest first."), **admin_errors(400, 503)},
            parameters=[
                _TENANT,
                query_parameter("request_id", "Only of this request.", text()),
                query_parameter("key_id", "Only what was given with this key.", text()),
                query_parameter("source", "Only from this source.", text()),
                *_only("provider", "model", "route"),
                query_parameter("task", "Only tasks of this kind.", text()),
                query_parameter("kind", "Only what was given so.", text()),
                query_parameter("score_min", "Only what is worth so much or more.", number(**_SHARE)),
                query_parameter("score_max", "Only what is worth so much or less.", number(**_SHARE)),
                query_parameter("from", "Given then or later.", text(format="date-time")),
                query_parameter("to", "Given before.", text(format="date-time")),
                query_parameter("after", "`next` of the page before.", text()),
                query_parameter("limit", "1-1000; 100 unless given.", integer(minimum=1, maximum=1000)),
            ],
        ),
        "post": operation(
            "giveFeedback",
            "Usage",
            "Say how good an answer was",
            {
                "201": json_answer(ref("Feedback"), "Kept."),
                "200": json_answer(ref("Feedback"), "Kept in the place of what was said before."),
                **admin_errors(400, 404, 413, 503),
                **errors(
                    ("Error",),
                    409,
                    meanings={409: "This key spoke of this answer for 20 sources already."},
                ),
            },
            body="NewFeedback",
        ),
    },
    "/api/v1/analytics/quality": {
        "get": operation(
            "reportQuality",
            "Usage",
            "How good answers are, by provider, model, task and route",
            {"200": json_answer(ref("QualityTable"), "The busiest first."), **admin_errors(400, 503)},
            parameters=[
                _TENANT,
                *_only("provider", "model", "route"),
                _TASK,
                _DAYS,
                query_parameter("by", "Comma list of provider, model, task and route; all four.", text()),
                query_parameter("limit", "1-1000; 200 unless given.", integer(minimum=1, maximum=1000)),
            ],
        )
    },
    "/api/v1/analytics/models/compare": {
        "get": operation(
            "compareModels",
            "Usage",
            "Which of two models answers better",
            {"200": json_answer(ref("ModelComparison"), "Task by task."), **admin_errors(400, 503)},
            parameters=[
                {
                    **query_parameter("models", "Two of them, such as `small,acme/large`.", text()),
                    "required": True,
                },
                _TENANT,
                *_only("provider", "route"),
                _TASK,
                _DAYS,
            ],
        )
    },
}
