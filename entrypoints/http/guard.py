"""The door of every route beside the hot ones: authentication, permission, bounded bodies, errors."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from application.json_limits import check_json_limits
from application.ports.system import IdFactory
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from domain.errors import Forbidden, InterchangeError, InvalidRequest, RequestTooLarge
from domain.tenancy.principal import Principal
from entrypoints.http.asgi import drain
from entrypoints.http.audited import DoorAudit, RouteKey, action_of, entered, note_body
from entrypoints.http.entrance import Entrance
from entrypoints.http.errors import render_error
from entrypoints.http.permissions import ANY_KEY, PUBLIC, ROUTE_PERMISSIONS

ADMIN_BODY_BYTES_MAX = 4 * 1024 * 1024
ADMIN_BODY_TIMEOUT_S = 30.0

Handler = Callable[[Request, Principal], Awaitable[Any]]
AnyBody = TypeVar("AnyBody")


class Door(NamedTuple):
    """What admits a caller."""

    entrance: Entrance
    ids: IdFactory
    audit: DoorAudit


def guarded_routes(door: Door, handlers: Mapping[tuple[str, str], Handler]) -> list[Route]:
    """Routes by (method, path), each behind its permission from the one table.

    A handler returns a JSON value, `Created` around one, or a whole response.
    """
    return [
        Route(path, guarded(door, handler, (method, path)), methods=[method])
        for (method, path), handler in handlers.items()
    ]


def only_parameters(request: Request, *allowed: str) -> None:
    """A misspelt filter would give a bigger answer, not an error: so it is one. Raises InvalidRequest."""
    for name in request.query_params:
        if name not in allowed:
            raise InvalidRequest(
                f"unknown parameter {name[:40]!r}; allowed: {', '.join(allowed)}", param=name[:80]
            )


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """Base of JSON bodies: unknown fields are errors."""


def guarded(door: Door, handler: Handler, route: RouteKey) -> Callable[[Request], Awaitable[Response]]:
    """Authenticates, checks the permission, enters acts in the audit trail, renders the value or the error;
    nothing else gets out."""
    permission = ROUTE_PERMISSIONS[route]

    async def endpoint(request: Request) -> Response:
        headers = dict(request.scope["headers"])
        request_id = door.ids.next("req")
        admitted = False
        dialect = ANTHROPIC_MESSAGES if b"anthropic-version" in headers else OPENAI_CHAT
        if b"x-goog-api-key" in headers:
            dialect = GEMINI_GENERATE
        try:
            principal = ANYBODY
            if permission != PUBLIC:
                principal = await door.entrance.admit(request.scope, headers)
                if permission != ANY_KEY and not principal.may(permission):
                    refused = Forbidden(f"the role {principal.role!r} may not do this (needs {permission})")
                    door.audit.denied(request, principal, action_of(route), refused)
                    raise refused
            admitted = True
            value = await entered(door.audit, route, request, principal, request_id, handler)
            if isinstance(value, Response):
                return value
        except InterchangeError as error:
            if not admitted:
                await drain(request.receive)
            status, raw, body = render_error(error, dialect, request_id)
            response = Response(body, status)
            response.raw_headers.extend(raw)
            return response
        status = 201 if isinstance(value, Created) else 200
        if isinstance(value, Created):
            value = value.value
        response = Response(msgspec.json.encode(value), status, media_type="application/json")
        response.headers["x-request-id"] = request_id
        response.headers["cache-control"] = "no-store"
        return response

    return endpoint


def may_see(entrance: Entrance, permission: str) -> Callable[[Request], Awaitable[bool]]:
    """Whether a caller of a public page has this permission; being nobody is no error there."""

    async def allowed(request: Request) -> bool:
        principal = await entrance.known(request.scope)
        return principal is not None and principal.may(permission)

    return allowed


ANYBODY = Principal(tenant_id="", key_id="", key_name="", role="", permissions=frozenset())


class Created(NamedTuple):
    """A value that is new: answered with 201."""

    value: Any


async def read_bounded(request: Request) -> bytes:
    """The body of an admin request. Raises RequestTooLarge, and InvalidRequest when it does not come."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(ADMIN_BODY_TIMEOUT_S):
            async for part in request.stream():
                size += len(part)
                if size > ADMIN_BODY_BYTES_MAX:
                    raise RequestTooLarge(f"the body is over {ADMIN_BODY_BYTES_MAX} bytes", param="body")
                parts.append(part)
    except TimeoutError:
        raise InvalidRequest("the request body did not arrive in time", param="body") from None
    except ClientDisconnect:
        raise InvalidRequest("the caller left before the body was complete", param="body") from None
    body = b"".join(parts)
    note_body(request, body)
    return body


def decode(body: bytes, kind: type[AnyBody]) -> AnyBody:
    """The body as its type. Raises InvalidRequest with the field's path, RequestTooLarge."""
    check_json_limits(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".")
        if " field `" in message:
            field = ".".join(filter(None, (field, message.split("`")[-2])))
        raise InvalidRequest(message, param=field or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}", param="body") from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply", param="body") from None
