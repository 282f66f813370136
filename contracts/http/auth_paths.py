"""Logging in by an identity provider, and who one is."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, query_parameter
from contracts.http.words import Schema, array, maybe, obj, ref, text

_REDIRECT: dict[str, Any] = {"description": "A redirect.", "headers": {"location": {"schema": text()}}}

AUTH_SCHEMAS: dict[str, Schema] = {
    "WhoAmI": obj(
        {
            "data": obj(
                {
                    "kind": text("`key`, `token` or `session`."),
                    "subject": text("Who it is to the issuer; empty for keys."),
                    "name": text("For people."),
                    "tenant_id": text(),
                    "role": text(),
                    "permissions": array(text()),
                    "expires_at": maybe(text("When a login ends at the latest.", format="date-time")),
                    "csrf_token": maybe(
                        text("What pages of this server send as `x-interchange-csrf` with a login's cookie.")
                    ),
                }
            )
        },
        description="Who the caller is.",
    ),
    "CommandLogin": obj(
        {
            "issuer": text("Where people log in."),
            "client_id": text("Of the public client for commands."),
            "scopes": array(text()),
            "resource": text("What to ask the token for; empty: nothing."),
            "audience": text("The same, for issuers that call it so."),
        },
        description="What a command needs to log somebody in.",
    ),
}

AUTH_PATHS: dict[str, Any] = {
    "/auth/login": {
        "get": operation(
            "logIn",
            "Logins",
            "Go to the identity provider and log in",
            {
                "303": {**_REDIRECT, "description": "To the provider."},
                **errors(("Error",), 400, 404, 429, 503),
            },
            parameters=[query_parameter("return_to", "A path of this server to come back to.", text())],
            public=True,
        )
    },
    "/auth/callback": {
        "get": operation(
            "comeBackFromLogin",
            "Logins",
            "Where the identity provider sends the browser back to",
            {
                "303": {**_REDIRECT, "description": "Logged in; a cookie is set."},
                **errors(("Error",), 400, 401, 403, 404, 429, 503),
            },
            parameters=[
                query_parameter("code", "Changed for who it is.", text()),
                query_parameter("state", "Ties the answer to the browser that asked.", text()),
                query_parameter("iss", "Which provider it is (RFC 9207).", text()),
                query_parameter("error", "Why there is no code.", text()),
            ],
            public=True,
        )
    },
    "/auth/session": {
        "get": operation(
            "whoAmI",
            "Logins",
            "Who the caller is",
            {"200": json_answer(ref("WhoAmI"), "The caller."), **admin_errors()},
        )
    },
    "/auth/cli": {
        "get": operation(
            "describeCommandLogin",
            "Logins",
            "How `interchange login` logs in",
            {"200": json_answer(ref("CommandLogin"), "A public client."), **errors(("Error",), 404)},
            public=True,
        )
    },
    "/auth/logout": {
        "post": operation(
            "logOut",
            "Logins",
            "End the login",
            {"204": {"description": "It is over, on every instance."}, **admin_errors(400)},
            description="Only with a login's cookie, and `x-interchange-csrf` beside it.",
        )
    },
}
