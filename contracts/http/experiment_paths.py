"""Experiments: A/B tests of routes, and what they show."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter
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
from domain.experiments.likeness import FINDINGS

METRICS = ("cost", "latency", "quality", "errors")
UNITS = ("tenant", "user", "session", "request")
_STATES = ("draft", "running", "stopped", "promoted")
_TIME = text("RFC 3339, UTC.", format="date-time")
_GUARDRAIL = obj(
    {
        "metric": one_of(METRICS),
        "worse_by": number(
            "How much worse than control an arm may be: of cost and latency a share of control's mean, of "
            "quality and errors points from 0 to 1.",
            minimum=0,
        ),
    }
)
_ARM_BODY = closed(
    obj(
        {
            "name": text("Unique in the experiment.", minLength=1, maxLength=40),
            "route": text("The route whose way of choosing is used.", minLength=1, maxLength=200),
            "weight": maybe(
                integer(
                    "Its share is this over the sum of all weights. Default: 1; a shadow has none.",
                    minimum=0,
                    maximum=10_000,
                )
            ),
            "shadow": boolean(
                "It answers nobody: requests that control answered are sent to it too, beside them."
            ),
            "share": maybe(
                number(
                    "Of a shadow: the share of units it gets copies of. Default: 0.1.",
                    exclusiveMinimum=0,
                    maximum=1,
                )
            ),
            "usd_per_day": maybe(
                number(
                    "Of a shadow: what it may cost on a day (UTC), on all instances. Default: 1.",
                    exclusiveMinimum=0,
                    maximum=1_000_000,
                )
            ),
        },
        optional=["weight", "shadow", "share", "usd_per_day"],
    )
)
_BODY_EXAMPLE = {
    "name": "smaller model",
    "route": "assistant",
    "arms": [
        {"name": "now", "route": "assistant", "weight": 1},
        {"name": "small", "route": "assistant-small", "weight": 1},
    ],
    "unit": "user",
    "metric": "cost",
    "guardrails": [{"metric": "errors", "worse_by": 0.05}],
    "min_samples": 200,
}
_OBJECT_EXAMPLE = {
    "experiment_id": "exp_0000019b6c3f2a00d4e1f20a7b3c",
    "tenant_id": "default",
    "everyone": False,
    "owner": "api",
    "declared_in": None,
    "status": "draft",
    **_BODY_EXAMPLE,
    "arms": [
        {
            "name": name,
            "route": route,
            "shadow": False,
            "weight": 1,
            "share": 0.5,
            "usd_per_day": None,
            "stopped_at": None,
            "stopped_because": None,
        }
        for name, route in (("now", "assistant"), ("small", "assistant-small"))
    ],
    "alpha": 0.05,
    "smallest_effect": 0.05,
    "salt": "exp_0000019b6c3f2a00d4e1f20a7b3c",
    "promoted": None,
    "started_at": None,
    "ended_at": None,
    "created_at": "2026-03-01T12:00:00.000000Z",
    "updated_at": "2026-03-01T12:00:00.000000Z",
}
_EXPERIMENT: dict[str, Schema] = {
    "experiment_id": text(),
    "name": text(),
    "tenant_id": text("Whose it is; only they change it."),
    "everyone": boolean("Whether requests of all tenants take part, not only of this one."),
    "owner": one_of(["file", "api"], "What the file declares only the file changes."),
    "declared_in": maybe(text("File and line.")),
    "status": one_of(_STATES),
    "route": text("The route whose requests take part."),
    "unit": one_of(UNITS, "Who keeps an arm."),
    "metric": one_of(METRICS, "What decides."),
    "arms": array(
        obj(
            {
                "name": text(),
                "route": text(),
                "shadow": boolean("Whether it answers nobody, and gets copies."),
                "weight": integer("0 of a shadow."),
                "share": number("Of the units; of a shadow, those whose requests are copied."),
                "usd_per_day": maybe(number("The daily cap of a shadow.")),
                "stopped_at": maybe(_TIME),
                "stopped_because": maybe(text("What a guardrail saw; the arm's share goes to control.")),
            }
        ),
        "The first is control.",
    ),
    "guardrails": array(_GUARDRAIL),
    "min_samples": integer("Units of each arm before anything is concluded."),
    "alpha": number("The accepted chance of ever finding a difference that is none."),
    "smallest_effect": number("Differences below this count as none."),
    "salt": text("What units are drawn with: the same one draws the same arms."),
    "promoted": maybe(text("The arm that was promoted.")),
    "started_at": maybe(_TIME),
    "ended_at": maybe(_TIME),
    "created_at": maybe(_TIME),
    "updated_at": maybe(_TIME),
}
_INTERVAL = obj({"low": number(), "value": number(), "high": number()})
_MEANS = obj(
    {
        "units": integer("Of which it is known."),
        "mean": maybe(number("Over units: dollars, milliseconds, or 0 to 1.")),
        "low": maybe(number("Lower end of the confidence sequence.")),
        "high": maybe(number("Upper end.")),
        "text": maybe(text("For people.")),
    }
)

_ANSWERS = obj(
    {
        "compared": integer("Pairs of answers with words on both sides."),
        "same_words_share": maybe(number("Of them, those equal but for case, marks and spaces.")),
        "words_in_common": maybe(number("The mean of twice the common words over all words, 0 to 1.")),
        "length_ratio": maybe(number("The shadow's characters for one of control's.")),
        "same_turn_share": maybe(number("Of all pairs: both call tools, or neither does.")),
        "findings": obj(
            dict.fromkeys(
                FINDINGS,
                obj({"shadow": integer("Answers of the shadow."), "control": integer("Answers of control.")}),
            ),
            description="Answers in which checks found this.",
        ),
        "text": maybe(text("For people.")),
    },
    description="Of a shadow: how alike its answers are to control's for the same requests.",
)

EXPERIMENT_SCHEMAS: dict[str, Schema] = {
    "ExperimentBody": closed(
        obj(
            {
                "name": text("Unique within the tenant.", minLength=1, maxLength=100),
                "route": text("The route whose requests take part.", minLength=1, maxLength=200),
                "arms": array(_ARM_BODY, "2 to 8, shadows among them; the first is control."),
                "unit": one_of(UNITS, "Who keeps an arm. Default: user."),
                "metric": one_of(METRICS, "What decides. Default: cost."),
                "guardrails": array(closed(_GUARDRAIL), "At most 4, one for each metric."),
                "min_samples": integer("Default: 100.", minimum=10, maximum=1_000_000),
                "alpha": number("Default: 0.05.", exclusiveMinimum=0, maximum=0.2),
                "smallest_effect": maybe(number("Default: 0.05, of quality and errors 0.02.", maximum=1)),
                "salt": text(
                    "Of an earlier experiment, to draw the same arms again. Default: its own.", maxLength=100
                ),
                "everyone": boolean("Requests of all tenants; needs `tenants.manage`."),
            },
            optional=(
                "unit",
                "metric",
                "guardrails",
                "min_samples",
                "alpha",
                "smallest_effect",
                "salt",
                "everyone",
            ),
            example=_BODY_EXAMPLE,
        )
    ),
    "ExperimentPromotion": closed(obj({"arm": text("Its name.")}, example={"arm": "small"})),
    "Experiment": obj(_EXPERIMENT, example=_OBJECT_EXAMPLE),
    "Experiments": obj(
        {"experiments": array(ref("Experiment"), "Those of the file first, then the newest first.")}
    ),
    "ExperimentRemoved": obj({"experiment_id": text(), "removed": boolean()}),
    "ExperimentAndResults": obj(
        {
            **_EXPERIMENT,
            "missing_routes": array(text(), "Routes of arms that there are no more: nobody takes part."),
            "results": obj(
                {
                    "decision": one_of(
                        [
                            "keep_going",
                            "better",
                            "control_is_better",
                            "no_difference",
                            "stopped_by_guardrail",
                            "split_is_off",
                        ]
                    ),
                    "decision_text": text("One or two sentences that say what to do."),
                    "winner": maybe(text("The arm to promote.")),
                    "units_missing": integer("Still needed, in the arm that has the fewest."),
                    "sample_ratio": maybe(
                        obj(
                            {
                                "p_value": number("That units are split as the weights say; always valid."),
                                "off": boolean("Whether they are not, so that nothing can be concluded."),
                            }
                        )
                    ),
                    "arms": array(
                        obj(
                            {
                                "name": text(),
                                "units": integer("With any request that counts."),
                                "requests": integer(),
                                "verdict": one_of(
                                    ["control", "undecided", "better", "worse", "same", "stopped"]
                                ),
                                "verdict_text": text(),
                                "difference": maybe(
                                    {
                                        **_INTERVAL,
                                        "description": "Of the metric from control's: of cost and latency a "
                                        "share of control's mean, else points. Valid at every look.",
                                    }
                                ),
                                "difference_text": maybe(text()),
                                "metrics": obj(dict.fromkeys(METRICS, _MEANS)),
                                "shadow": boolean("Whether it answers nobody."),
                                "control_means": maybe(
                                    obj(
                                        dict.fromkeys(("cost", "latency", "errors"), maybe(number())),
                                        optional=("cost", "latency", "errors"),
                                        description="Of a shadow: control's means over the same requests.",
                                    )
                                ),
                                "answers": maybe(_ANSWERS),
                            }
                        ),
                        "Control first.",
                    ),
                }
            ),
        }
    ),
}

_ID = path_parameter("experiment_id", "As the list shows it.")
_NO_CHANGE = {
    409: "Its state does not allow it, the name is taken, another one runs on the route, or the file owns "
    "it (`owned_by_file`).",
}


def _changing(operation_id: str, summary: str, description: str, body: str | None = None) -> dict[str, Any]:
    return operation(
        operation_id,
        "Experiments",
        summary,
        {
            "200": json_answer(ref("Experiment"), "As it is now; on every instance within a second."),
            **admin_errors(400, 404, 413, 503),
            **errors(("Error",), 409, meanings=_NO_CHANGE),
        },
        parameters=[_ID],
        body=body,
        description=description,
    )


EXPERIMENT_PATHS: dict[str, Any] = {
    "/api/v1/experiments": {
        "get": operation(
            "listExperiments",
            "Experiments",
            "Experiments of the file and of the API",
            {"200": json_answer(ref("Experiments"), "Those the caller may see."), **admin_errors(400, 503)},
        ),
        "post": operation(
            "createExperiment",
            "Experiments",
            "Make an experiment",
            {
                "201": json_answer(ref("Experiment"), "A draft: nothing happens before it is started."),
                **admin_errors(400, 413, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            body="ExperimentBody",
        ),
    },
    "/api/v1/experiments/{experiment_id}": {
        "get": operation(
            "readExperiment",
            "Experiments",
            "One experiment, and what it shows",
            {"200": json_answer(ref("ExperimentAndResults"), "Now."), **admin_errors(404, 503)},
            parameters=[_ID],
        ),
        "delete": operation(
            "removeExperiment",
            "Experiments",
            "Remove an experiment that does not run",
            {
                "200": json_answer(ref("ExperimentRemoved"), "Its requests keep its id."),
                **admin_errors(404, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            parameters=[_ID],
        ),
    },
    "/api/v1/experiments/{experiment_id}/start": {
        "post": _changing(
            "startExperiment",
            "Let requests take part",
            "One that was stopped goes on, with the same units in the same arms.",
        )
    },
    "/api/v1/experiments/{experiment_id}/stop": {
        "post": _changing("stopExperiment", "End it", "The route answers as it says itself. Results stay.")
    },
    "/api/v1/experiments/{experiment_id}/promote": {
        "post": _changing(
            "promoteExperiment",
            "Make an arm's way the route's",
            "Gives the route what the arm's route says, and ends the experiment. Also needs `config.write`. "
            "Where the file declares the route, 409 says what to change there.",
            body="ExperimentPromotion",
        )
    },
}
