"""Budgets: what may be spent, by whom, in which time; and how that stands."""

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

DIMENSIONS = (
    "tenant", "team", "project", "key", "user", "agent", "session", "workflow", "model", "provider",
)  # fmt: skip
PERIODS = ("hour", "day", "week", "month", "quarter", "year", "total")
_TIME = text("RFC 3339, UTC.", format="date-time")


def _usd(description: str = "") -> Schema:
    return text(f"USD as decimal text, exact. {description}".strip(), pattern=r"^\d+(\.\d+)?$")


_SCOPE: Schema = {
    "type": "object",
    "description": "Whose spending counts: each dimension with one value, or `*` for a budget of its own for "
    "every value. All of them must hold. A key is named by its id, or by a name that only it has; a model as "
    "`model` or `provider/model`.",
    "properties": {name: text(minLength=1, maxLength=256) for name in DIMENSIONS},
    "additionalProperties": False,
    "minProperties": 1,
}
_LIMIT: Schema = {
    "anyOf": [number(minimum=0, maximum=4_611_686_018), text(pattern=r"^\d{1,10}(\.\d{1,9})?$")],
    "description": "USD. Decimal text is read to the nano-dollar.",
}
_SHARES = array(number(exclusiveMinimum=0, maximum=10), "Shares of the limit, rising.", maxItems=16)
_ON_THRESHOLD = closed(
    obj(
        {
            "at": number("Share of the limit that must be spent.", exclusiveMinimum=0, maximum=1),
            "route": text("The route that is then used.", minLength=1, maxLength=127),
        },
        description="From a share of the limit on, requests are planned on another route.",
    )
)
_TERMS: dict[str, Schema] = {
    "period": one_of(PERIODS),
    "rolling": boolean("A sliding window instead of a calendar period."),
    "time_zone": text("IANA name; says when a calendar period begins.", maxLength=64),
    "limit_usd": _LIMIT,
    "hard": boolean("Refuse (402) what would pass the limit; otherwise only count and alert."),
    "alert_at": maybe(_SHARES),
    "on_threshold": maybe(_ON_THRESHOLD),
    "contact": maybe(text("Told to whoever is refused.", maxLength=256)),
}
_NAME = text("Unique within the tenant.", minLength=1, maxLength=128)
_OPTIONAL = ("rolling", "time_zone", "hard", "alert_at", "on_threshold", "contact")

KEY_BUDGET: Schema = {
    **closed(obj({"name": _NAME, **_TERMS}, optional=["name", "period", *_OPTIONAL])),
    "description": "A budget for this key alone, made with it. `period` is `month` and `hard` true unless "
    "said otherwise. Needs `budgets.write`.",
}

_BODY_EXAMPLE = {
    "name": "agents per day",
    "scope": {"tenant": "default", "agent": "*"},
    "period": "day",
    "time_zone": "Europe/Paris",
    "limit_usd": "2.50",
    "hard": True,
    "alert_at": [0.8, 0.9, 1.0],
    "on_threshold": {"at": 0.8, "route": "cheap"},
    "contact": "platform@acme.example",
}
_OBJECT_EXAMPLE = {
    "budget_id": "bud_0000019b6c3f2a00d4e1f20a7b3c",
    "tenant_id": "default",
    "owner": "api",
    "declared_in": None,
    "rolling": False,
    **_BODY_EXAMPLE,
    "created_at": "2026-03-01T12:00:00+00:00",
    "updated_at": "2026-03-01T12:00:00+00:00",
}
_ACCOUNT_EXAMPLE = {
    "account_id": "acc_5f0c1b2a3d4e5f60718293a4",
    "subject": "agent=planner",
    "limit_usd": "2.5",
    "spent_usd": "1.2041",
    "unresolved_usd": "0.02",
    "held_usd": "0.15",
    "remaining_usd": "1.2759",
    "utilization_percent": 48.96,
    "period_start": "2026-03-01T23:00:00Z",
    "resets_at": "2026-03-02T23:00:00Z",
    "spend_rate_usd_per_day": "3.21",
    "rate_observed_minutes": 540,
    "projected_usd": "3.24",
    "exhausted_at": "2026-03-02T17:32:10Z",
}

ACCOUNT_FIELDS: dict[str, Schema] = {
    "account_id": text(),
    "subject": text("Such as `agent=planner`; empty where the scope names every value."),
    "limit_usd": _usd(),
    "spent_usd": _usd("Of the present period."),
    "unresolved_usd": _usd("Counted in full until the bill is known, or until the deadline."),
    "held_usd": _usd("Granted to instances for requests that run or come next."),
    "remaining_usd": _usd("Limit less spent and unresolved; what is held is part of it."),
    "utilization_percent": number(minimum=0),
    "period_start": maybe(_TIME),
    "resets_at": maybe(text("When it starts anew; null: never, or bit by bit.", format="date-time")),
    "spend_rate_usd_per_day": _usd("Mean of last hour, last day and period."),
    "rate_observed_minutes": integer("How much history the rate is made of.", minimum=0),
    "projected_usd": maybe(_usd("What the period comes to at that rate; null: it has no end.")),
    "exhausted_at": maybe(
        text("When the limit is reached at that rate; null: not in this period.", format="date-time")
    ),
}

BUDGET_SCHEMAS: dict[str, Schema] = {
    "BudgetBody": closed(
        obj({"name": _NAME, "scope": _SCOPE, **_TERMS}, optional=_OPTIONAL, example=_BODY_EXAMPLE)
    ),
    "Budget": obj(
        {
            "budget_id": text("`file:` and its name, when the file declares it."),
            "name": text(),
            "tenant_id": text("Whose it is; only they change it."),
            "owner": one_of(["file", "api"], "What the file declares only the file changes."),
            "declared_in": maybe(text("File and line.")),
            "scope": {"type": "object", "additionalProperties": text()},
            "period": one_of(PERIODS),
            "rolling": boolean(),
            "time_zone": text(),
            "limit_usd": _usd(),
            "hard": boolean(),
            "alert_at": array(number()),
            "on_threshold": maybe(obj({"at": number(), "route": text()})),
            "contact": maybe(text()),
            "created_at": maybe(_TIME),
            "updated_at": maybe(_TIME),
        },
        example=_OBJECT_EXAMPLE,
    ),
    "Budgets": obj({"budgets": array(ref("Budget"), "Those of the file first, then by age.")}),
    "BudgetRemoved": obj({"budget_id": text(), "removed": boolean()}),
    "BudgetAccount": obj(
        ACCOUNT_FIELDS,
        example=_ACCOUNT_EXAMPLE,
    ),
    "BudgetAccounts": obj(
        {"budget_id": text(), "accounts": array(ref("BudgetAccount"), "The most used first.")}
    ),
    "SpenderBody": closed(
        obj(
            {name: text(maxLength=256) for name in DIMENSIONS},
            optional=DIMENSIONS,
            description="Who would spend, and with whom; what is not said concerns no budget of it. `tenant` "
            "is the caller's unless said otherwise.",
            example={"agent": "planner", "model": "gpt-5-mini", "provider": "openai"},
        )
    ),
    "ConcernedBudgets": obj(
        {
            "budgets": array(
                obj({"budget": ref("Budget"), "account": ref("BudgetAccount")}),
                "Every one of them must have room; hard ones first, the least left first.",
            )
        }
    ),
    "UnresolvedCharge": obj(
        {
            "attempt_id": text(),
            "account_id": text(),
            "budget_id": maybe(text("Null while nothing was ever held on the account.")),
            "tenant_id": text(),
            "held_usd": _usd("What counts as spent until the bill is known."),
            "since": _TIME,
        }
    ),
    "UnresolvedCharges": obj({"unresolved": array(ref("UnresolvedCharge"), "The oldest first.")}),
    "ResolveBody": closed(
        obj(
            {
                "attempt_id": text(minLength=1, maxLength=256),
                "cost_usd": maybe(
                    {
                        **_LIMIT,
                        "description": "What the provider billed, 0: nothing; null: all that was held.",
                    }
                ),
            },
            optional=["cost_usd"],
            example={"attempt_id": "req_0000019b6c3f2a00d4e1f20a7b3c.0", "cost_usd": "0.0132"},
        )
    ),
    "Resolved": obj({"attempt_id": text(), "accounts": integer("On how many it changed.", minimum=0)}),
}

_ID = path_parameter("budget_id", "As the list shows it.")
_TENANT = query_parameter("tenant_id", "Only this tenant's; others' need `tenants.manage`.", text())
_NO_CHANGE = {
    409: "The name is taken, there are too many, or the file owns this budget (`owned_by_file`).",
}

BUDGET_PATHS: dict[str, Any] = {
    "/api/v1/budgets": {
        "get": operation(
            "listBudgets",
            "Budgets",
            "Budgets of the file and of the API",
            {"200": json_answer(ref("Budgets"), "Those the caller may see."), **admin_errors(400, 503)},
            parameters=[_TENANT],
        ),
        "post": operation(
            "createBudget",
            "Budgets",
            "Make a budget",
            {
                "201": json_answer(ref("Budget"), "In force here, and within a second on every instance."),
                **admin_errors(400, 413, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            body="BudgetBody",
        ),
    },
    "/api/v1/budgets/check": {
        "post": operation(
            "checkBudgets",
            "Budgets",
            "Which budgets a request would concern, and what is left",
            {"200": json_answer(ref("ConcernedBudgets"), "Now."), **admin_errors(400, 413, 503)},
            body="SpenderBody",
        )
    },
    "/api/v1/budgets/unresolved": {
        "get": operation(
            "listUnresolvedCharges",
            "Budgets",
            "Charges whose bill nobody knows",
            {"200": json_answer(ref("UnresolvedCharges"), "At most 1,000."), **admin_errors(400, 503)},
            parameters=[_TENANT],
        )
    },
    "/api/v1/budgets/unresolved/resolve": {
        "post": operation(
            "resolveCharge",
            "Budgets",
            "State the bill of an unresolved charge",
            {
                "200": json_answer(ref("Resolved"), "It counts from now on."),
                **admin_errors(400, 404, 413, 503),
            },
            body="ResolveBody",
        )
    },
    "/api/v1/budgets/{budget_id}": {
        "get": operation(
            "readBudget",
            "Budgets",
            "One budget",
            {"200": json_answer(ref("Budget"), "With its owner."), **admin_errors(404, 503)},
            parameters=[_ID],
        ),
        "put": operation(
            "putBudget",
            "Budgets",
            "Change a budget",
            {
                "200": json_answer(ref("Budget"), "A lowered limit acts on the next request."),
                **admin_errors(400, 404, 413, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            parameters=[_ID],
            body="BudgetBody",
            description="What was spent stays spent. The scope cannot change: make another budget.",
        ),
        "delete": operation(
            "removeBudget",
            "Budgets",
            "Remove a budget",
            {
                "200": json_answer(ref("BudgetRemoved"), "It holds nobody any more."),
                **admin_errors(404, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            parameters=[_ID],
        ),
    },
    "/api/v1/budgets/{budget_id}/accounts": {
        "get": operation(
            "readBudgetAccounts",
            "Budgets",
            "How each subject of a budget stands",
            {
                "200": json_answer(ref("BudgetAccounts"), "In the present period."),
                **admin_errors(400, 404, 503),
            },
            parameters=[
                _ID,
                query_parameter("subject", "Only this one.", text()),
                query_parameter("limit", "At most so many.", integer(minimum=1, maximum=1000, default=100)),
            ],
        )
    },
}
