"""What a key may ask about itself."""

from typing import Any

from contracts.http.admin_schemas import PAYERS
from contracts.http.budget_paths import ACCOUNT_FIELDS, PERIODS
from contracts.http.error_answers import OPENAI_ERRORS, errors
from contracts.http.operations import json_answer, operation
from contracts.http.words import array, boolean, integer, maybe, number, obj, one_of, ref, text

OWN_KEY_PATHS: dict[str, Any] = {
    "/api/v1/key": {
        "get": operation(
            "getOwnKey",
            "Keys",
            "What the presented key may do and has used",
            {"200": json_answer(ref("OwnKey"), "The key."), **errors(OPENAI_ERRORS, 401, 403, 429, 503)},
            description="Any valid key may ask about itself; its text is never shown.",
        )
    }
}

OWN_KEY_SCHEMAS: dict[str, Any] = {
    "OwnKey": obj(
        {
            "data": obj(
                {
                    "key_id": text(),
                    "label": text("Its name."),
                    "tenant_id": text(),
                    "role": text(),
                    **PAYERS,
                    "permissions": array(text(), "What the role and the key's scopes allow."),
                    "allowed_models": maybe(array(text(), "Routes, targets and `provider/*`; null: all.")),
                    "networks": array(text(), "Where it may be used from; none: anywhere."),
                    "assertable": maybe(array(text(), "Users and agents it may name; null: any.")),
                    "integrations": maybe(array(text(), "Integrations it may reach; null: all.")),
                    "managed_budgets": maybe(array(text(), "Budgets it may change; null: all.")),
                    "expires_at": maybe(text("UTC; null: never.", format="date-time")),
                    "limit": maybe(
                        number("USD of the budget that leaves this key least, hard ones first; null: none.")
                    ),
                    "limit_remaining": maybe(number("USD left of it.")),
                    "limit_reset": maybe(
                        text("When it is full again; null: never, or bit by bit.", format="date-time")
                    ),
                    "budget": maybe(ref("KeyBudgetStanding")),
                    "rate_limit": maybe(obj({"requests": integer(minimum=0), "interval": text()})),
                    "rate_limits": array(
                        ref("LimitStanding"), "Limits on whatever this key asks for, as far as known here."
                    ),
                    "limits_note": text("What the limits are of, or why they are null."),
                    "usage_daily": maybe(ref("KeyUsage")),
                    "usage_monthly": maybe(ref("KeyUsage")),
                }
            )
        }
    ),
    "KeyBudgetStanding": obj(
        {
            "name": text(),
            "hard": boolean(),
            "period": one_of(PERIODS),
            "rolling": boolean(),
            **ACCOUNT_FIELDS,
        }
    ),
    "KeyUsage": obj(
        {
            "since": text("UTC.", format="date-time"),
            "resets_at": text("When the count starts again, UTC.", format="date-time"),
            "requests": integer(minimum=0),
            "input_tokens": integer(minimum=0),
            "output_tokens": integer(minimum=0),
            "cost_usd": number("Of the requests whose price is known.", minimum=0),
            "unpriced_requests": integer("Requests whose cost is not known.", minimum=0),
        }
    ),
}
