"""`/api/v1/privacy`: which policies there are, and what they would make of something."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from application.ports.wire import OPENAI_CHAT
from application.use_cases.check_privacy import AskedPrivacy, CheckPrivacy, PrivacyVerdict
from domain.errors import InvalidRequest
from domain.privacy.policy import BUILT_IN, PrivacyPolicy, Where
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded

_NOTHING = msgspec.Raw(b"null")


class PrivacyCheckBody(Body):
    """`POST /api/v1/privacy/check`."""

    text: str | None = None
    where: str = Where.PROMPTS.value
    body: msgspec.Raw = _NOTHING
    dialect: str = OPENAI_CHAT
    policy: str = ""
    route: str = ""


def privacy_routes(door: Door, check: CheckPrivacy) -> list[Route]:
    """`/api/v1/privacy`, and asking what would be done."""

    async def show(request: Request, by: Principal) -> Any:
        only_parameters(request)
        known = check.policies(by)
        return {
            "default": known.default,
            "tenant": known.tenant or None,
            "policies": [policy_object(policy) for policy in known.policies.values()],
        }

    async def ask(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), PrivacyCheckBody)
        if asked.where not in {where.value for where in Where}:
            raise InvalidRequest(f"where must be one of {', '.join(Where)}", param="where")
        body = bytes(asked.body)
        return verdict_object(
            await check.check(
                by,
                AskedPrivacy(
                    text=asked.text,
                    where=Where(asked.where),
                    body=None if body == b"null" else body,
                    dialect=asked.dialect,
                    policy=asked.policy,
                    route=asked.route,
                ),
            )
        )

    return guarded_routes(door, {("GET", "/api/v1/privacy"): show, ("POST", "/api/v1/privacy/check"): ask})


def policy_object(policy: PrivacyPolicy) -> dict[str, Any]:
    """A policy as the API tells it."""
    demand = policy.route
    return {
        "name": policy.name,
        "built_in": policy.name in BUILT_IN,
        "default": policy.default.name.lower(),
        "kinds": {kind.value: act.name.lower() for kind, act in sorted(policy.kinds.items())},
        "where": sorted(where.value for where in policy.where),
        "allow": list(policy.allow),
        "route": {
            "residency": demand.residency or None,
            "tags": sorted(demand.tags),
            "providers": sorted(demand.providers),
        },
    }


def verdict_object(verdict: PrivacyVerdict) -> dict[str, Any]:
    """What would be done, as the API tells it; of values, only what would go on."""
    return {
        "policy": verdict.policy,
        "allowed": verdict.allowed,
        "findings": [
            {
                "kind": noted.kind.value,
                "where": noted.where.value,
                "field": noted.path,
                "act": noted.act.name.lower(),
            }
            for noted in verdict.findings
        ],
        "text": verdict.text,
        "body": None if verdict.body is None else msgspec.Raw(verdict.body),
    }
