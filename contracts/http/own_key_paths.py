"""What a key may ask about itself."""

from typing import Any

from contracts.http.admin_schemas import PAYERS
from contracts.http.error_answers import OPENAI_ERRORS, errors
from contracts.http.operations import json_answer, operation
from contracts.http.words import array, integer, maybe, number, obj, ref, text

OWN_KEY_PATHS: dict[str, Any] = {
    "/api/v1/key": {
        "get": operation(
            "getOwnKey",
            "Keys",
            "What the presented key may do and has used",
            {"200": json_answer(ref("OwnKey"), "The key."), **errors(OPENAI_ERRORS, 401, 403, 503)},
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
                    "expires_at": maybe(text("UTC; null: never.", format="date-time")),
                    "limit": maybe(number("USD that it may spend; null: not limited.")),
                    "limit_remaining": maybe(number("USD left of it.")),
                    "limit_reset": maybe(text("When it is full again.", format="date-time")),
                    "rate_limit": maybe(obj({"requests": integer(minimum=0), "interval": text()})),
                    "limits_note": text("Why limits are null."),
                    "usage_daily": maybe(ref("KeyUsage")),
                    "usage_monthly": maybe(ref("KeyUsage")),
                }
            )
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
