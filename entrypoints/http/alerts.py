"""`/api/v1/sla` and `/api/v1/alerts`: how objectives stand, what fires, and keeping it quiet."""

from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_alerts import ManageAlerts
from application.use_cases.report_sla import ReportSla
from domain.errors import InvalidRequest
from domain.sla.alert import AlertState
from domain.tenancy.principal import Principal
from entrypoints.alert_objects import alert_object, entry_object, rule_object, standing_object
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded

ALERTS: Final = "/api/v1/alerts"
_ONE: Final = f"{ALERTS}/{{alert_id}}"
LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
_DIGITS_MAX: Final = 17


class SilenceBody(Body):
    """`POST …/silence`."""

    for_s: float
    reason: str = ""


def alert_routes(door: Door, manage: ManageAlerts, report: ReportSla) -> list[Route]:
    """The routes; those with a word in place of an id first."""

    async def sla(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return {"objectives": [standing_object(each) for each in await report(by)]}

    async def active(request: Request, by: Principal) -> Any:
        only_parameters(request, "rule", "state")
        found = await manage.active(by, rule=request.query_params.get("rule"), state=_state(request))
        now_us = manage.now_us()
        return {"alerts": [alert_object(each, manage.terms, now_us) for each in found]}

    async def history(request: Request, by: Principal) -> Any:
        only_parameters(request, "alert_id", "before_us", "limit")
        limit = _number(request, "limit") or LIMIT_DEFAULT
        if limit > LIMIT_MAX:
            raise InvalidRequest(f"limit is 1 to {LIMIT_MAX}", param="limit")
        before_us, one = _number(request, "before_us"), request.query_params.get("alert_id")
        found = await manage.history(by, one, before_us=before_us, limit=limit)
        return {
            "history": [entry_object(each) for each in found],
            "next_before_us": found[-1].at_us if len(found) == limit else None,
        }

    async def rules(request: Request, by: Principal) -> Any:
        only_parameters(request)
        terms = manage.terms
        return {"rules": [rule_object(each, terms) for each in terms.rules.values()]}

    async def one(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return alert_object(await manage.one(by, _id(request)), manage.terms, manage.now_us())

    async def silence(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), SilenceBody)
        alert = await manage.silence(by, _id(request), body.for_s, body.reason)
        return alert_object(alert, manage.terms, manage.now_us())

    async def acknowledge(request: Request, by: Principal) -> Any:
        alert = await manage.acknowledge(by, _id(request))
        return alert_object(alert, manage.terms, manage.now_us())

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/sla"): sla,
            ("GET", ALERTS): active,
            ("GET", f"{ALERTS}/history"): history,
            ("GET", f"{ALERTS}/rules"): rules,
            ("GET", _ONE): one,
            ("POST", f"{_ONE}/silence"): silence,
            ("POST", f"{_ONE}/acknowledge"): acknowledge,
        },
    )


def _id(request: Request) -> str:
    return str(request.path_params["alert_id"])


def _state(request: Request) -> AlertState | None:
    text = request.query_params.get("state")
    if text is None:
        return None
    try:
        return AlertState(text)
    except ValueError:
        allowed = ", ".join(each.value for each in AlertState)
        raise InvalidRequest(f"no state {text[:40]!r}; allowed: {allowed}", param="state") from None


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX or not int(text):
        raise InvalidRequest(f"{name} is a whole number above 0", param=name)
    return int(text)
