"""What goes wrong, as schemas and as responses that operations refer to by status."""

from collections.abc import Mapping
from typing import Any

from contracts.http.words import Schema, integer, maybe, obj, ref, text

_CODE = text(
    "A stable word for machines: `invalid_request`, `invalid_model_requirements`, `invalid_api_key`, "
    "`invalid_token`, "
    "`previous_response_not_found`, "
    "`budget_exceeded`, `cost_unbounded`, "
    "`too_many_failures`, `identity_not_allowed`, "
    "`forbidden`, `residency_violation`, `pii_blocked`, `agent_stopped`, "
    "`model_not_found`, `not_found`, `route_not_found`, "
    "`method_not_allowed`, `conflict`, `owned_by_file`, `request_in_progress`, `idempotency_key_reused`, "
    "`request_too_large`, `storage_quota_exceeded`, `overloaded`, `store_unavailable`, "
    "`privacy_unavailable`, `guardrail_blocked`, `guardrail_unavailable`, "
    "`vault_locked`, `credential_damaged`, "
    "`no_provider_available`, `request_timeout`, `stream_interrupted`, `internal_error`, and "
    "`upstream_` with the kind of a provider's failure, such as `upstream_rate_limit`."
)

ERROR_SCHEMAS: dict[str, Schema] = {
    "Error": obj(
        {
            "error": obj(
                {
                    "message": text("For people: what was wrong and what is allowed."),
                    "type": text("The class of the error, in OpenAI's words."),
                    "param": maybe(text("Path of the offending field or name of the header.")),
                    "code": _CODE,
                    "request_id": text("The same as in `x-request-id`."),
                    "details": {
                        "type": "object",
                        "description": "More for machines: `nearest` names of an unknown model, how many "
                        "candidates were `dropped` for which reason.",
                    },
                },
                optional=["details"],
            )
        },
        description="An error of Interchange itself.",
        example={
            "error": {
                "message": "provider 'acme' has no model 'smal'; the nearest names are acme/small",
                "type": "not_found_error",
                "param": "model",
                "code": "model_not_found",
                "request_id": "req_01k9z1",
                "details": {"nearest": ["acme/small"]},
            }
        },
    ),
    "AnthropicError": obj(
        {
            "type": text(const="error"),
            "error": obj(
                {
                    "type": text("The class of the error, in Anthropic's words."),
                    "message": text("For people: what was wrong and what is allowed."),
                    "code": _CODE,
                    "param": maybe(text("Path of the offending field or name of the header.")),
                }
            ),
            "request_id": text("The same as in `x-request-id`."),
        },
        description="An error of Interchange itself, for callers of Anthropic's routes.",
        example={
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "max_tokens: is required",
                "code": "invalid_request",
                "param": "max_tokens",
            },
            "request_id": "req_01k9z1",
        },
    ),
    "ProviderError": {
        "type": "object",
        "description": "A provider's own error body, unmodified, when caller and provider are of one "
        "family. One that speaks about the provider's credential is never passed on.",
    },
    "Readiness": obj(
        {
            "status": text("`ready` or `not_ready`.", enum=["ready", "not_ready"]),
            "providers_usable": {"type": "boolean", "description": "At least one provider may be tried now."},
            "accepting": {"type": "boolean", "description": "Usage can be recorded, so requests are taken."},
        },
        example={"status": "ready", "providers_usable": True, "accepting": True},
    ),
}

MEANINGS = {
    400: "The request cannot be understood, or nothing could ever satisfy it; `param` names the field.",
    401: "No key, or one that is unknown, expired or revoked.",
    402: "A hard budget has no room for what this may cost (`budget_exceeded`; `details` say which, how it "
    "stands and when it starts anew), nothing bounds that (`cost_unbounded`), or the provider's account has "
    "no money left (`upstream_quota`).",
    403: "The key may not do this, nothing that may answer is allowed to see this data, or whoever asks is "
    "stopped (`agent_stopped`).",
    404: "No such thing; of an unknown model the nearest names are given.",
    408: "The tool took longer than its caller waits; what ran for it was cancelled.",
    409: "A request with this `idempotency-key` is still running; try again shortly.",
    412: "The object exists already, or is another than the one that was named.",
    413: "The body is over the limit, or more would be kept than the tenant may keep.",
    416: "The range begins behind the end of the object.",
    422: "This `idempotency-key` was used for another request, or the provider found fault with the body.",
    429: "A rate limit of this installation (`rate_limit_exceeded`; `details` say which) or the provider's; "
    "`retry-after` says when it may be worth a try.",
    502: "The provider failed, or refused the credential Interchange has for it.",
    503: "Candidates exist, but none can be used now, or Interchange is full.",
    504: "No answer within the time of the route.",
    529: "The provider is overloaded.",
}
RETRY_HEADERS = {
    "retry-after": {
        "description": "Seconds until a repeat may help, rounded up.",
        "schema": integer(minimum=0),
    },
    "x-should-retry": {
        "description": "`false` when our own retries are spent, or what was asked for may not be done twice; "
        "SDKs then do not repeat at once.",
        "schema": text(enum=["false", "true"]),
    },
}


TRIED_HEADERS = {
    name: {"$ref": f"#/components/headers/{name}"}
    for name in ("x-interchange-attempts", "x-interchange-overhead-ms", "x-interchange-trace")
}
"""What a refused call tells about what was tried, once something was."""


def errors(
    schema_names: tuple[str, ...],
    *statuses: int,
    calls: bool = False,
    meanings: Mapping[int, str] = MEANINGS,
) -> dict[str, Any]:
    """Responses by status. `meanings` come before the usual ones; `calls`: the route calls models."""
    schemas = [ref(name) for name in schema_names]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {
        str(status): {
            "description": meanings[status] if status in meanings else MEANINGS[status],
            "headers": {
                "x-request-id": {"$ref": "#/components/headers/x-request-id"},
                **RETRY_HEADERS,
                **(TRIED_HEADERS if calls else {}),
            },
            "content": {"application/json": {"schema": schema}},
        }
        for status in statuses
    }


def other_refusals() -> dict[str, Any]:
    """Statuses that a provider of the caller's family may give and that have no line of their own."""
    return {
        f"{kind}XX": {
            "description": f"Another {what} of a provider of the caller's family, with its status.",
            "headers": {
                "x-request-id": {"$ref": "#/components/headers/x-request-id"},
                **RETRY_HEADERS,
                **TRIED_HEADERS,
            },
            "content": {"application/json": {"schema": ref("ProviderError")}},
        }
        for kind, what in ((4, "refusal"), (5, "failure"))
    }


def admin_errors(*statuses: int) -> dict[str, Any]:
    """Errors of the admin routes: 401, 403 and 429 are always possible."""
    said = {
        429: "Too many bad credentials came from this address within a minute (`too_many_failures`), or too "
        "many requests with this one (`rate_limit_exceeded`, `limits.admin_requests_per_minute`)."
    }
    return errors(("Error",), *sorted({401, 403, 429, *statuses}), meanings=said)


OPENAI_ERRORS = ("Error", "ProviderError")
ANTHROPIC_ERRORS = ("AnthropicError", "ProviderError")
LLM_STATUSES = (400, 401, 402, 403, 404, 409, 413, 422, 429, 502, 503, 504)
ANTHROPIC_STATUSES = (*LLM_STATUSES, 529)
