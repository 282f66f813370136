"""Logging in by an identity provider, and who one is."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, query_parameter
from contracts.http.words import Schema, array, closed, integer, maybe, obj, ref, text

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
                    "login": maybe(text("How a login began: `key` or `oidc`.")),
                    "expires_at": maybe(text("When a login ends at the latest.", format="date-time")),
                    "idle_s": maybe(integer("After how many unused seconds a login ends.")),
                    "csrf_token": maybe(
                        text("What pages of this server send as `x-interchange-csrf` with a login's cookie.")
                    ),
                }
            )
        },
        description="Who the caller is.",
    ),
    "KeyLogin": closed(
        obj(
            {"key": text("A key of this installation.")},
            description="A login by key.",
            example={"key": "ik_live_0a1B2c3D4e5F_…"},
        )
    ),
    "KeyLoginForm": obj(
        {"key": text("A key of this installation."), "return_to": text("A page of `/ui` to go to.")},
        optional=["return_to"],
        description="The same from a form of a page.",
        example={"key": "ik_live_0a1B2c3D4e5F_…", "return_to": "/ui/overview"},
    ),
    "KeyLoggedIn": obj(
        {
            "data": obj(
                {
                    "name": text("The key's."),
                    "tenant_id": text(),
                    "role": text(),
                    "expires_at": text("When the login ends at the latest.", format="date-time"),
                    "csrf_token": text("What its pages send as `x-interchange-csrf`."),
                }
            )
        },
        description="A login that began.",
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
    "/auth/key": {
        "post": {
            **operation(
                "logInByKey",
                "Logins",
                "Log in with a key, from a page of this server",
                {
                    "200": json_answer(ref("KeyLoggedIn"), "Logged in; a cookie is set.", with_id=False),
                    "303": {**_REDIRECT, "description": "To the page of a form; a cookie is set."},
                    **errors(("Error",), 400, 401, 403, 404, 413, 429, 503),
                },
                public=True,
                description="Only for browsers: `Origin` or `Sec-Fetch-Site` has to say that a page of "
                "this server sent it, and `Host` has to be loopback or that of `server.public_url`. The key "
                "is kept nowhere; the session ends with it at the latest.",
            ),
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {"schema": ref("KeyLoginForm")},
                    "application/json": {"schema": ref("KeyLogin")},
                },
            },
        }
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
            {
                "204": {"description": "It is over, on every instance."},
                "303": {**_REDIRECT, "description": "The same, for a form: to the login."},
                **admin_errors(400, 413),
            },
            description="Only with a login's cookie, and `x-interchange-csrf` beside it; a form sends it as "
            "`csrf`.",
        )
    },
}
