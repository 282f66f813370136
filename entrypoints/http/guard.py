"""The door of every route beside the hot ones: authentication, permission, bounded bodies, errors."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from application.admin_pace import AdminPace
from application.json_limits import check_json_limits
from application.log_context import CURRENT
from application.ports.system import IdFactory
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from domain.errors import Forbidden, InterchangeError, InvalidRequest, RequestTooLarge
from domain.tenancy.principal import Principal
from entrypoints.http.asgi import drain
from entrypoints.http.audited import DoorAudit, RouteKey, action_of, entered, note_body
from entrypoints.http.entrance import LET_IN_FOR_S, Entrance
from entrypoints.http.errors import render_error
from entrypoints.http.permissions import ANY_KEY, PUBLIC, ROUTE_PERMISSIONS

ADMIN_BODY_BYTES_MAX = 4 * 1024 * 1024
ADMIN_BODY_TIMEOUT_S = 30.0
ADMIN_PATHS = "/api/v1/"
"""Below it, credentials have a pace; what SDKs of providers ask for lies elsewhere."""
_STANDING = "interchange.standing"

Handler = Callable[[Request, Principal], Awaitable[Any]]
AnyBody = TypeVar("AnyBody")


class Door(NamedTuple):
    """What admits a caller."""

    entrance: Entrance
    ids: IdFactory
    audit: DoorAudit
    pace: AdminPace


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
                f"unknown parameter {name[:40]!r}; allowed: {', '.join(allowed) or 'none'}", param=name[:80]
            )


class Standing:
    """Whether a caller who was let in still would be: a body may come slowly, and its sender be shut out
    meanwhile."""

    __slots__ = ("_by", "_entrance", "_headers", "_known_at_s", "_scope")

    def __init__(self, entrance: Entrance, scope: Any, headers: dict[bytes, bytes], by: Principal) -> None:
        self._entrance = entrance
        self._scope = scope
        self._headers = headers
        self._by = by
        self._known_at_s = asyncio.get_running_loop().time()

    async def check(self) -> None:
        """Asks again where it was long ago. Raises as `Entrance.admit`, and Forbidden where what the caller
        may do is another now: what was checked before holds no more."""
        now = asyncio.get_running_loop().time()
        if now - self._known_at_s < LET_IN_FOR_S:
            return
        if await self._entrance.admit(self._scope, self._headers) != self._by:
            raise Forbidden("what this credential may do changed while the request came in; send it again")
        self._known_at_s = now


async def still_let_in(request: Request) -> None:
    """For handlers that waited for their caller. Raises as `Standing.check`."""
    standing: Standing | None = request.scope.get(_STANDING)
    if standing is not None:
        await standing.check()


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """Base of JSON bodies: unknown fields are errors."""


def guarded(door: Door, handler: Handler, route: RouteKey) -> Callable[[Request], Awaitable[Response]]:
    """Authenticates, checks the permission, enters acts in the audit trail, renders the value or the error;
    nothing else gets out."""
    permission = ROUTE_PERMISSIONS[route]
    paced = route[1].startswith(ADMIN_PATHS)

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
                if paced:
                    door.pace.take(principal)
                if permission != ANY_KEY and not principal.may(permission):
                    refused = Forbidden(f"the role {principal.role!r} may not do this (needs {permission})")
                    door.audit.denied(request, principal, action_of(route), refused)
                    raise refused
                request.scope[_STANDING] = Standing(door.entrance, request.scope, headers, principal)
            admitted = True
            CURRENT.set((request_id, principal.tenant_id, ""))
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


def refuse_encoded(request: Request) -> None:
    """A body that is said to be compressed is not read as if it were plain. Raises InvalidRequest."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise InvalidRequest(
            f"content-encoding {encoding[:40]!r} is not accepted here; allowed: identity",
            param="content-encoding",
        )


async def read_bounded(request: Request) -> bytes:
    """The body of an admin request, plain. Raises RequestTooLarge, InvalidRequest when it does not come or is
    said to be compressed, and as `still_let_in`."""
    refuse_encoded(request)
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
    await still_let_in(request)
    return body


def decode(body: bytes, kind: type[AnyBody]) -> AnyBody:
    """The body as its type. Raises InvalidRequest with the field's path, RequestTooLarge."""
    check_json_limits(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message, field = body_problem(error, kind)
        raise InvalidRequest(message, param=field or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}", param="body") from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply", param="body") from None


def body_problem(error: msgspec.ValidationError, kind: Any) -> tuple[str, str]:
    """What is wrong with a body, and the path of the field; empty: all of it."""
    message, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    if " field `" in message:
        if not field and "unknown field" in message:
            message += f"; known: {', '.join(each.encode_name for each in msgspec.structs.fields(kind))}"
        field = ".".join(filter(None, (field, str(error).partition("field `")[2].partition("`")[0])))
    return message, field
