"""What of the HTTP interface is entered in the audit trail, and how: at the one door, for every route."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from application.audit_denials import Denials
from application.audit_trail import AuditTrail, Surroundings
from domain.errors import Forbidden, InterchangeError
from domain.tenancy.principal import Principal
from entrypoints.http.addresses import client_address

RouteKey = tuple[str, str]
Handle = Callable[[Request, Principal], Awaitable[Any]]

ACTIONS: Final[Mapping[RouteKey, str]] = {
    ("POST", "/auth/logout"): "sessions.end",
    ("POST", "/v1/files"): "files.create",
    ("DELETE", "/v1/files/{file_id}"): "files.delete",
    ("POST", "/v1/batches"): "batches.create",
    ("POST", "/v1/batches/{batch_id}/cancel"): "batches.cancel",
    ("DELETE", "/v1/responses/{response_id}"): "responses.delete",
    ("POST", "/v1/responses/{response_id}/cancel"): "responses.cancel",
    ("PUT", "/api/v1/providers/{name}/state"): "providers.set_state",
    ("PUT", "/api/v1/providers/{name}/breaker"): "providers.set_breaker",
    ("POST", "/api/v1/keys"): "keys.create",
    ("DELETE", "/api/v1/keys/{key_id}"): "keys.revoke",
    ("PUT", "/api/v1/keys/{key_id}"): "keys.change",
    ("POST", "/api/v1/keys/{key_id}/rotate"): "keys.rotate",
    ("POST", "/api/v1/tenants"): "tenants.create",
    ("PUT", "/api/v1/tenants/{tenant_id}"): "tenants.update",
    ("DELETE", "/api/v1/tenants/{tenant_id}"): "tenants.delete",
    ("PUT", "/api/v1/tenants/{tenant_id}/projects/{name:path}"): "projects.update",
    ("DELETE", "/api/v1/tenants/{tenant_id}/projects/{name:path}"): "projects.delete",
    ("POST", "/api/v1/roles"): "roles.create",
    ("PUT", "/api/v1/roles/{name}"): "roles.update",
    ("DELETE", "/api/v1/roles/{name}"): "roles.delete",
    ("POST", "/api/v1/credentials"): "credentials.create",
    ("PUT", "/api/v1/credentials/{credential_id}"): "credentials.update",
    ("DELETE", "/api/v1/credentials/{credential_id}"): "credentials.delete",
    ("POST", "/api/v1/credentials/rotation"): "credentials.rotate",
    ("POST", "/api/v1/integrations"): "integrations.create",
    ("PUT", "/api/v1/integrations/{integration_id}"): "integrations.update",
    ("DELETE", "/api/v1/integrations/{integration_id}"): "integrations.delete",
    ("POST", "/api/v1/integrations/{integration_id}/test"): "integrations.test",
    ("POST", "/api/v1/integrations/{integration_id}/enable"): "integrations.enable",
    ("POST", "/api/v1/integrations/{integration_id}/disable"): "integrations.disable",
    ("POST", "/api/v1/integrations/{integration_id}/maintenance"): "integrations.maintenance",
    ("POST", "/api/v1/integrations/{integration_id}/tools/accept"): "integrations.accept_tools",
    ("POST", "/api/v1/webhooks"): "webhooks.create",
    ("PUT", "/api/v1/webhooks/{endpoint_id}"): "webhooks.update",
    ("DELETE", "/api/v1/webhooks/{endpoint_id}"): "webhooks.delete",
    ("POST", "/api/v1/webhooks/{endpoint_id}/pause"): "webhooks.pause",
    ("POST", "/api/v1/webhooks/{endpoint_id}/resume"): "webhooks.resume",
    ("POST", "/api/v1/webhooks/{endpoint_id}/rotate-secret"): "webhooks.rotate_secret",
    ("POST", "/api/v1/webhooks/{endpoint_id}/test"): "webhooks.test",
    ("POST", "/api/v1/webhooks/{endpoint_id}/replay"): "webhooks.replay",
    ("POST", "/api/v1/webhooks/{endpoint_id}/deliveries/{delivery_id}/retry"): "webhooks.retry",
    ("POST", "/api/v1/limits"): "limits.create",
    ("PUT", "/api/v1/limits/{limit_id:path}"): "limits.update",
    ("DELETE", "/api/v1/limits/{limit_id:path}"): "limits.delete",
    ("POST", "/api/v1/experiments"): "experiments.create",
    ("DELETE", "/api/v1/experiments/{experiment_id}"): "experiments.delete",
    ("POST", "/api/v1/experiments/{experiment_id}/start"): "experiments.start",
    ("POST", "/api/v1/experiments/{experiment_id}/stop"): "experiments.stop",
    ("POST", "/api/v1/experiments/{experiment_id}/promote"): "experiments.promote",
    ("DELETE", "/api/v1/privacy/subjects/{user_id:path}"): "privacy.erase",
    ("POST", "/api/v1/feedback"): "feedback.give",
    ("POST", "/api/v1/analytics/recommendations/refresh"): "recommendations.refresh",
    ("PUT", "/api/v1/analytics/recommendations/{optimization_id}"): "recommendations.decide",
    ("POST", "/api/v1/stops"): "stops.create",
    ("POST", "/api/v1/alerts/{alert_id}/silence"): "alerts.silence",
    ("POST", "/api/v1/alerts/{alert_id}/acknowledge"): "alerts.acknowledge",
    ("DELETE", "/api/v1/stops/{stop_id}"): "stops.lift",
    ("DELETE", "/api/v1/cache/entries/{key}"): "cache.delete",
    ("POST", "/api/v1/cache/invalidate"): "cache.invalidate",
    ("POST", "/api/v1/cache/warm"): "cache.warm",
    ("POST", "/api/v1/budgets"): "budgets.create",
    ("PUT", "/api/v1/budgets/{budget_id:path}"): "budgets.update",
    ("DELETE", "/api/v1/budgets/{budget_id:path}"): "budgets.delete",
    ("POST", "/api/v1/budgets/unresolved/resolve"): "budgets.resolve",
    ("PUT", "/api/v1/routes/{name}"): "routes.update",
    ("DELETE", "/api/v1/routes/{name}"): "routes.delete",
}
"""Names of what changes something. A route that is in none of the three tables is entered by its path."""

READS: Final[Mapping[RouteKey, str]] = {
    ("GET", "/v1/files/{file_id}/content"): "files.read_content",
    ("GET", "/v1/responses/{response_id}"): "responses.read",
    ("GET", "/v1/responses/{response_id}/input_items"): "responses.read_input",
    ("GET", "/api/v1/cache/entries/{key}"): "cache.read_entry",
    ("GET", "/api/v1/requests/{request_id}/content"): "prompts.read",
    ("GET", "/api/v1/privacy/subjects/{user_id:path}"): "privacy.export",
    ("GET", "/api/v1/config"): "config.read",
    ("GET", "/api/v1/audit"): "audit.read",
}
"""What shows stored prompts and answers, or the trail itself."""

ASKING: Final[frozenset[RouteKey]] = frozenset(
    {
        ("POST", "/auth/key"),  # enters `sessions.create` itself, once it is known who it is
        ("POST", "/ui/{page}/{item:path}"),  # the route of the API that does it is what is entered
        ("POST", "/api/v1/playground"),  # calls a model
        ("POST", "/api/v1/routing/explain"),
        ("POST", "/api/v1/routing/backtest"),
        ("POST", "/api/v1/cache/explain"),
        ("POST", "/api/v1/budgets/check"),
        ("POST", "/api/v1/privacy/check"),
        ("POST", "/api/v1/guardrails/check"),
        ("POST", "/api/v1/webhooks/verify"),
        ("PUT", "/api/v1/integrations/{integration_id}/objects/{key:path}"),
        ("DELETE", "/api/v1/integrations/{integration_id}/objects/{key:path}"),
    }
)
"""Questions that come as POST. Calls of models and of tools are entered from their usage rows instead."""

_BODY: Final = "interchange.body"
_FIELDS_MAX: Final = 50
_OF_PEOPLE: Final = ("user_id", "session_id")
"""They may have to be forgotten, and an entry cannot be changed."""
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class DoorAudit(NamedTuple):
    """Where the door enters what goes through it, and who did not get through."""

    trail: AuditTrail
    denials: Denials
    user: Callable[[str, str], str]
    """How entries speak of a user of a tenant, since they can never be changed."""

    def denied(self, request: Request, by: Principal, action: str, error: InterchangeError) -> None:
        """Somebody known may not do this."""
        self.denials.note(by, action, error.code, client_address(request.scope))


def action_of(route: RouteKey) -> str:
    """How entries name what this route does; for reads that are not entered, what is named when denied."""
    return ACTIONS.get(route) or READS.get(route) or f"{route[0]} {route[1]}"


def note_body(request: Request, body: bytes) -> None:
    """Remembers a body that was read, so that the entry can say which fields it had."""
    request.scope[_BODY] = body


def forget_body(request: Request) -> None:
    """For bodies that hold a secret: a digest would let others try out what it may have been."""
    request.scope.pop(_BODY, None)


async def entered(
    audit: DoorAudit,
    route: RouteKey,
    request: Request,
    by: Principal,
    request_id: str,
    handle: Handle,
) -> Any:
    """What the handler returns; entered before and after it where the tables say so.

    Raises what the handler raises, and StoreUnavailable where it could not be entered: then it was not run.
    """
    changes = route[0] not in ("GET", "HEAD") and route not in ASKING
    if not changes:
        handle = _telling_denials(audit, route, handle)
        if route not in READS:
            return await handle(request, by)
    action, subject = action_of(route), _subject(audit, request, by)
    where = Surroundings(client_address(request.scope), request_id)
    asked = {name: request.query_params[name] for name in ("tenant_id",) if name in request.query_params}
    if not changes:
        await audit.trail.read(by, action, subject, asked, where)
        return await handle(request, by)
    async with audit.trail.act(by, action, subject, asked, where) as act:
        try:
            value = await handle(request, by)
        finally:
            act.details.update(_body_told(request))
        if isinstance(value, Response) and value.status_code >= 400:
            act.refused = f"http_{value.status_code}"
        else:
            act.details.update(_named(value))
        return value


def _telling_denials(audit: DoorAudit, route: RouteKey, handle: Handle) -> Handle:
    """Whoever looks has no outcome that would say that they were refused inside."""

    async def telling(request: Request, by: Principal) -> Any:
        try:
            return await handle(request, by)
        except Forbidden as refused:
            if by.tenant_id:
                audit.denied(request, by, action_of(route), refused)
            raise

    return telling


def _subject(audit: DoorAudit, request: Request, by: Principal) -> str:
    named = request.path_params
    if "user_id" in named:
        return audit.user(by.tenant_id, named["user_id"])
    return " ".join(f"{name}={value}" for name, value in named.items())


def _body_told(request: Request) -> dict[str, Any]:
    body = request.scope.pop(_BODY, b"")
    if not body:
        return {}
    try:
        names = sorted(_decode_object(body))[:_FIELDS_MAX]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        names = []  # not an object of fields; the digest says what it was
    return {"fields": [name[:80] for name in names], "body_sha256": hashlib.sha256(body).hexdigest()}


def _named(value: Any) -> dict[str, Any]:
    """Ids and names of what was made or changed."""
    value = getattr(value, "value", value)
    if not isinstance(value, dict):
        return {}
    told = {
        name: text[:200]
        for name, text in value.items()
        if isinstance(text, str)
        and (name in ("id", "name") or name.endswith("_id"))
        and name not in _OF_PEOPLE
    }
    return {"result": told} if told else {}
