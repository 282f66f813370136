"""Callers' keys: making, looking at, changing, rotating and revoking them."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.change_keys import KeyUseCases
from application.use_cases.create_budgeted_key import CreateBudgetedKey
from application.use_cases.page_keys import PAGE_DEFAULT, PageKeys, WantedKeys
from domain.errors import InvalidRequest
from domain.tenancy.key_rotation import OVERLAP_DEFAULT_S
from domain.tenancy.key_rules import NewKey
from domain.tenancy.principal import Principal
from entrypoints.budget_objects import KeyBudgetBody, terms_of
from entrypoints.http.guard import Body, Created, Door, decode, guarded_routes, only_parameters, read_bounded
from entrypoints.key_objects import key_object

_SETS = ("scopes", "allowed_models", "assertable", "integrations", "managed_budgets")


class NewKeyBody(Body):
    """`POST /api/v1/keys`."""

    tenant_id: str
    name: str
    role: str
    scopes: list[str] | None = None
    allowed_models: list[str] | None = None
    budget: KeyBudgetBody | None = None
    expires_at: datetime | None = None
    team: str = ""
    project: str = ""
    cost_center: str = ""
    networks: tuple[str, ...] = ()
    assertable: list[str] | None = None
    integrations: list[str] | None = None
    managed_budgets: list[str] | None = None
    env: str = "live"

    def terms(self) -> NewKey:
        """What is asked for, apart from the budget."""
        given = {name: getattr(self, name) for name in self.__struct_fields__ if name != "budget"}
        return NewKey(**as_terms(given))


class KeyChangeBody(Body):
    """`PUT /api/v1/keys/{key_id}`; what is left out stays as it is."""

    name: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    scopes: list[str] | UnsetType | None = UNSET
    allowed_models: list[str] | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    team: str | UnsetType = UNSET
    project: str | UnsetType = UNSET
    cost_center: str | UnsetType = UNSET
    networks: tuple[str, ...] | UnsetType | None = UNSET
    assertable: list[str] | UnsetType | None = UNSET
    integrations: list[str] | UnsetType | None = UNSET
    managed_budgets: list[str] | UnsetType | None = UNSET

    def changes(self) -> dict[str, Any]:
        """The fields that are given."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        terms = as_terms({name: value for name, value in given.items() if value is not UNSET})
        return terms | {"networks": ()} if self.networks is None else terms


class RotationBody(Body):
    """`POST /api/v1/keys/{key_id}/rotate`."""

    overlap_seconds: int = OVERLAP_DEFAULT_S


def as_terms(given: dict[str, Any]) -> dict[str, Any]:
    """Lists of names as the sets that rules compare."""
    terms = dict(given)
    for name in _SETS:
        if terms.get(name) is not None:
            terms[name] = frozenset(terms[name])
    return terms


def key_routes(door: Door, keys: KeyUseCases, page: PageKeys, budgeted: CreateBudgetedKey) -> list[Route]:
    """`/api/v1/keys`, one of them, and its rotation."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id", "role", "state", "name", "limit", "cursor")
        found = await page(by, _wanted(request))
        now = keys.clock.utc_now()
        return {"keys": [key_object(record, now) for record in found.records], "next_cursor": found.next}

    async def make(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), NewKeyBody)
        if body.budget is None:
            created = await keys.create(by, body.terms())
            return Created({"key_id": created.key_id, "key": created.key})
        made = await budgeted(by, body.terms(), terms_of(body.budget))
        budget_id = made.budget.budget.budget_id
        return Created({"key_id": made.key.key_id, "key": made.key.key, "budget_id": budget_id})

    async def one(request: Request, by: Principal) -> Any:
        record = await keys.show(by, request.path_params["key_id"])
        return key_object(record, keys.clock.utc_now())

    async def change(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), KeyChangeBody)
        record = await keys.change(by, request.path_params["key_id"], body.changes())
        return key_object(record, keys.clock.utc_now())

    async def rotate(request: Request, by: Principal) -> Any:
        raw = await read_bounded(request)
        body = decode(raw, RotationBody) if raw.strip() else RotationBody()
        rotated = await keys.rotate(by, request.path_params["key_id"], body.overlap_seconds)
        old = rotated.record.old_secret
        return {
            "key_id": rotated.record.key_id,
            "key": rotated.key,
            "old_secret_until": None if old is None else old.until.isoformat(),
        }

    async def revoke(request: Request, by: Principal) -> Any:
        only_parameters(request, "reason")
        reason = request.query_params.get("reason", "")
        record = await keys.revoke(by, request.path_params["key_id"], reason)
        return key_object(record, keys.clock.utc_now())

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/keys"): every,
            ("POST", "/api/v1/keys"): make,
            ("GET", "/api/v1/keys/{key_id}"): one,
            ("PUT", "/api/v1/keys/{key_id}"): change,
            ("DELETE", "/api/v1/keys/{key_id}"): revoke,
            ("POST", "/api/v1/keys/{key_id}/rotate"): rotate,
        },
    )


def _wanted(request: Request) -> WantedKeys:
    query = request.query_params
    limit = query.get("limit", str(PAGE_DEFAULT))
    if not (limit.isascii() and limit.isdigit()) or len(limit) > 6:
        raise InvalidRequest("limit must be a whole number", param="limit")
    return WantedKeys(
        tenant_id=query.get("tenant_id"),
        role=query.get("role"),
        state=query.get("state"),
        name=query.get("name"),
        cursor=query.get("cursor"),
        limit=int(limit),
    )
