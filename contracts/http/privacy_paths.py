"""Privacy policies, and what they would make of something."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation
from contracts.http.words import Schema, array, boolean, closed, maybe, obj, one_of, ref, text

_ACTS = ["off", "detect", "tokenise", "hash", "redact", "route", "block"]
_WHERE = ["prompts", "tool_arguments", "tool_results", "answers"]
_ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}

PRIVACY_SCHEMAS: dict[str, Schema] = {
    "PrivacyPolicy": obj(
        {
            "name": text(),
            "built_in": boolean("Whether every installation has it."),
            "default": one_of(_ACTS, "What is done about kinds that are not named."),
            "kinds": {"type": "object", "additionalProperties": one_of(_ACTS)},
            "where": array(one_of(_WHERE), "Where it holds."),
            "allow": array(text("A regular expression."), "What counts as no personal data."),
            "route": obj(
                {
                    "residency": maybe(text("The region a target has to be in.")),
                    "tags": array(text(), "Tags a target has to have."),
                    "providers": array(text(), "Providers it may be at; none named: any."),
                },
                description="Who may see what `route` lets through.",
            ),
        }
    ),
    "PrivacyPolicies": obj(
        {
            "default": text("Of requests whose route names none."),
            "tenant": maybe(text("The policy of this key's tenant, which can only add.")),
            "policies": array(ref("PrivacyPolicy")),
        }
    ),
    "PrivacyCheck": closed(
        obj(
            {
                "text": maybe(text("A text.")),
                "where": one_of(_WHERE, "Where the text stands."),
                "body": {**_ANY_OBJECT, "description": "A request, in place of a text."},
                "dialect": text("What the request is; `openai.chat` unless it is said."),
                "policy": text("A policy by name.", maxLength=63),
                "route": text("The rules of this route.", maxLength=512),
            },
            optional=["text", "where", "body", "dialect", "policy", "route"],
            description="Either `text` or `body`. Without policy and route, the general rules.",
            example={"text": "Write to bob@example.com.", "policy": "redact"},
        )
    ),
    "PrivacyVerdict": obj(
        {
            "policy": text("What was judged by, with the tenant's own."),
            "allowed": boolean("False: it would be refused."),
            "findings": array(
                obj(
                    {
                        "kind": text("Such as EMAIL_ADDRESS."),
                        "where": one_of(_WHERE),
                        "field": text("Where it stands."),
                        "act": one_of(_ACTS),
                    }
                ),
                "The first 1,000, without their values.",
            ),
            "text": maybe(text("The text that would go on.")),
            "body": maybe({**_ANY_OBJECT, "description": "The request that would go on."}),
        }
    ),
}

PRIVACY_PATHS: dict[str, Any] = {
    "/api/v1/privacy": {
        "get": operation(
            "listPrivacyPolicies",
            "Privacy",
            "The privacy policies",
            {"200": json_answer(ref("PrivacyPolicies"), "All that may be named."), **admin_errors()},
        )
    },
    "/api/v1/privacy/check": {
        "post": operation(
            "checkPrivacy",
            "Privacy",
            "What would be found, and what would be done",
            {
                "200": json_answer(ref("PrivacyVerdict"), "Nothing was sent anywhere."),
                **admin_errors(400, 404, 413, 503),
            },
            body="PrivacyCheck",
        )
    },
}
