"""`/api/v1/webhooks`: endpoints that events are sent to, and the log of what was sent."""

from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_webhooks import ManageWebhooks
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.endpoint import Endpoint
from entrypoints.http.guard import (
    Created,
    Door,
    Handler,
    decode,
    guarded_routes,
    only_parameters,
    read_bounded,
)
from entrypoints.webhook_objects import (
    ReplayBody,
    RotationBody,
    WebhookBody,
    delivery_object,
    endpoint_object,
    made_object,
    moment,
    opened_object,
    replayed_object,
    rotated_object,
)

ROOT: Final = "/api/v1/webhooks"
_ONE: Final = f"{ROOT}/{{endpoint_id}}"
_SENT: Final = f"{_ONE}/deliveries"
_DELIVERY: Final = f"{_SENT}/{{delivery_id}}"
LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 500
_SEQ_DIGITS_MAX: Final = 18


def webhook_routes(door: Door, manage: ManageWebhooks) -> list[Route]:
    """The routes, each behind its permission; those with a word in place of an id first."""
    return [*_delivery_routes(door, manage), *_endpoint_routes(door, manage)]


def _endpoint_routes(door: Door, manage: ManageWebhooks) -> list[Route]:

    def shown(endpoint: Endpoint) -> dict[str, Any]:
        return endpoint_object(endpoint, manage.declared_in(endpoint))

    async def every(request: Request, by: Principal) -> Any:
        return {"webhooks": [shown(each) for each in await manage.all(by, _tenant(request))]}

    async def make(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), WebhookBody)
        return Created(
            made_object(*await manage.create(by, body.terms(), body.routing_key, _tenant(request)))
        )

    async def one(request: Request, by: Principal) -> Any:
        return shown(await manage.one(by, _id(request), _tenant(request)))

    async def replace(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), WebhookBody)
        return shown(await manage.change(by, _id(request), body.terms(), body.routing_key, _tenant(request)))

    async def remove(request: Request, by: Principal) -> Any:
        gone = await manage.remove(by, _id(request), _tenant(request))
        return {"endpoint_id": gone.endpoint_id, "removed": True}

    async def pause(request: Request, by: Principal) -> Any:
        return shown(await manage.pause(by, _id(request), _tenant(request)))

    async def resume(request: Request, by: Principal) -> Any:
        return shown(await manage.resume(by, _id(request), _tenant(request)))

    async def rotate(request: Request, by: Principal) -> Any:
        raw = await read_bounded(request)
        body = decode(raw, RotationBody) if raw else RotationBody()
        return rotated_object(*await manage.rotate(by, _id(request), body.overlap_s, _tenant(request)))

    async def test(request: Request, by: Principal) -> Any:
        event_id = await manage.test(by, _id(request), _tenant(request))
        return {"endpoint_id": _id(request), "event_id": event_id}

    handlers: dict[tuple[str, str], Handler] = {
        ("GET", ROOT): every,
        ("POST", ROOT): make,
        ("GET", _ONE): one,
        ("PUT", _ONE): replace,
        ("DELETE", _ONE): remove,
        ("POST", f"{_ONE}/pause"): pause,
        ("POST", f"{_ONE}/resume"): resume,
        ("POST", f"{_ONE}/rotate-secret"): rotate,
        ("POST", f"{_ONE}/test"): test,
    }
    return guarded_routes(door, handlers)


def _delivery_routes(door: Door, manage: ManageWebhooks) -> list[Route]:
    async def replay(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), ReplayBody)
        until = None if body.until is None else moment(body.until, "until")
        since = moment(body.since, "since")
        tenant_id = _tenant(request)
        found = await manage.replay(
            by, _id(request), since, until, dead_only=body.dead_only, tenant_id=tenant_id
        )
        return replayed_object(found)

    async def sent(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id", "state", "limit", "before")
        return await _page(manage, request, by, _id(request), _state(request))

    async def dead(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id", "limit", "before")
        return await _page(manage, request, by, None, DeliveryState.DEAD)

    async def delivery(request: Request, by: Principal) -> Any:
        sent_id = request.path_params["delivery_id"]
        return opened_object(await manage.delivery(by, _id(request), sent_id, _tenant(request)))

    async def retry(request: Request, by: Principal) -> Any:
        sent_id = request.path_params["delivery_id"]
        return delivery_object(await manage.retry(by, _id(request), sent_id, _tenant(request)))

    handlers: dict[tuple[str, str], Handler] = {
        ("GET", f"{ROOT}/dead-letters"): dead,
        ("POST", f"{_ONE}/replay"): replay,
        ("GET", _SENT): sent,
        ("GET", _DELIVERY): delivery,
        ("POST", f"{_DELIVERY}/retry"): retry,
    }
    return guarded_routes(door, handlers)


async def _page(
    manage: ManageWebhooks,
    request: Request,
    by: Principal,
    endpoint_id: str | None,
    state: DeliveryState | None,
) -> dict[str, Any]:
    limit, before = _number(request, "limit") or LIMIT_DEFAULT, _number(request, "before")
    if limit > LIMIT_MAX:
        raise InvalidRequest(f"limit is 1 to {LIMIT_MAX}", param="limit")
    found = await manage.deliveries(
        by,
        endpoint_id,
        state,
        before_seq=before,
        limit=limit,
        tenant_id=request.query_params.get("tenant_id"),
    )
    return {
        "deliveries": [delivery_object(each) for each in found],
        "next_before": found[-1].seq if len(found) == limit else None,
    }


def _id(request: Request) -> str:
    return str(request.path_params["endpoint_id"])


def _tenant(request: Request) -> str | None:
    only_parameters(request, "tenant_id")
    return request.query_params.get("tenant_id")


def _state(request: Request) -> DeliveryState | None:
    text = request.query_params.get("state")
    if text is None:
        return None
    try:
        return DeliveryState(text)
    except ValueError:
        allowed = ", ".join(each.value for each in DeliveryState)
        raise InvalidRequest(f"no state {text[:40]!r}; allowed: {allowed}", param="state") from None


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > _SEQ_DIGITS_MAX or not int(text):
        raise InvalidRequest(f"{name} is a whole number above 0", param=name)
    return int(text)
