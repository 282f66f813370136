"""`/api/v1/budgets`: budgets as objects, how they stand, and which of them concern whom."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_budgets import ManageBudgets
from application.use_cases.report_budgets import ReportBudgets
from application.use_cases.resolve_charges import ResolveCharges
from domain.budgets.scope import VALUE_LENGTH_MAX, Spender
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.budget_objects import (
    BudgetBody,
    account_object,
    bill,
    budget_object,
    concerned_object,
    terms_of,
    unresolved_object,
)
from entrypoints.http.guard import (
    Body,
    Created,
    Door,
    Handler,
    decode,
    guarded_routes,
    only_parameters,
    read_bounded,
)

SUBJECT_LENGTH_MAX = 10 * (VALUE_LENGTH_MAX + 10)


class SpenderBody(Body):
    """`POST /api/v1/budgets/check`: who would spend, and with whom. Empty: not said."""

    tenant: str = ""
    team: str = ""
    project: str = ""
    key: str = ""
    user: str = ""
    agent: str = ""
    session: str = ""
    workflow: str = ""
    model: str = ""
    provider: str = ""


class ResolveBody(Body):
    """`POST /api/v1/budgets/unresolved/resolve`. Without a cost: all that was held."""

    attempt_id: str
    cost_usd: str | int | float | None = None


def budget_routes(
    door: Door, manage: ManageBudgets, report: ReportBudgets, charges: ResolveCharges
) -> list[Route]:
    """The routes, each behind its permission."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        records = await manage.all(by, request.query_params.get("tenant_id"))
        return {"budgets": [budget_object(record) for record in records]}

    async def make(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), BudgetBody)
        return Created(budget_object(await manage.create(by, terms_of(body))))

    async def one(request: Request, by: Principal) -> Any:
        return budget_object(await manage.one(by, request.path_params["budget_id"]))

    async def replace(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), BudgetBody)
        return budget_object(await manage.replace(by, request.path_params["budget_id"], terms_of(body)))

    async def remove(request: Request, by: Principal) -> Any:
        record = await manage.remove(by, request.path_params["budget_id"])
        return {"budget_id": record.budget.budget_id, "removed": True}

    async def accounts(request: Request, by: Principal) -> Any:
        only_parameters(request, "subject", "limit")
        query = request.query_params
        record, standings = await report.accounts(
            by,
            request.path_params["budget_id"],
            subject=None
            if "subject" not in query
            else _value(query["subject"], "subject", SUBJECT_LENGTH_MAX),
            limit=_whole(query.get("limit", "100")),
        )
        return {
            "budget_id": record.budget.budget_id,
            "accounts": [account_object(standing) for standing in standings],
        }

    async def check(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), SpenderBody)
        spender = Spender(
            **{name: _value(getattr(body, name), name) for name in SpenderBody.__struct_fields__}
        )
        if not spender.tenant:
            spender = spender._replace(tenant=by.tenant_id)
        found = await report.check(by, spender)
        return {"budgets": [concerned_object(concerned) for concerned in found]}

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/budgets"): every,
            ("POST", "/api/v1/budgets"): make,
            ("POST", "/api/v1/budgets/check"): check,
            # Before the paths with an id, which would take the word for one.
            **_charge_handlers(charges),
            ("GET", "/api/v1/budgets/{budget_id:path}/accounts"): accounts,
            ("GET", "/api/v1/budgets/{budget_id:path}"): one,
            ("PUT", "/api/v1/budgets/{budget_id:path}"): replace,
            ("DELETE", "/api/v1/budgets/{budget_id:path}"): remove,
        },
    )


def _charge_handlers(charges: ResolveCharges) -> dict[tuple[str, str], Handler]:
    async def unresolved(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        entries = await charges.unresolved(by, request.query_params.get("tenant_id"))
        return {"unresolved": [unresolved_object(entry) for entry in entries]}

    async def resolve(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), ResolveBody)
        changed = await charges.resolve(by, body.attempt_id, bill(body.cost_usd))
        return {"attempt_id": body.attempt_id, "accounts": changed}

    return {
        ("GET", "/api/v1/budgets/unresolved"): unresolved,
        ("POST", "/api/v1/budgets/unresolved/resolve"): resolve,
    }


def _value(text: str, param: str, length_max: int = VALUE_LENGTH_MAX) -> str:
    if len(text) > length_max or not text.isprintable():
        raise InvalidRequest(f"{param} must be at most {length_max} printable characters", param=param)
    return text


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidRequest("limit must be a whole number from 1", param="limit")
    return int(text)
