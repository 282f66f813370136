"""`/api/v1/guardrails`: which guardrails there are, and what they would say to something."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from application.ports.wire import OPENAI_CHAT
from application.use_cases.check_guardrails import AskedGuardrails, CheckGuardrails, GuardrailAnswer
from domain.errors import InvalidRequest
from domain.guardrails.terms import Guardrail
from domain.privacy.policy import Where
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded

_NOTHING = msgspec.Raw(b"null")


class GuardrailCheckBody(Body):
    """`POST /api/v1/guardrails/check`."""

    text: str | None = None
    where: str = Where.PROMPTS.value
    body: msgspec.Raw = _NOTHING
    dialect: str = OPENAI_CHAT
    guardrails: list[str] = msgspec.field(default_factory=list)
    route: str = ""
    outside: bool = False


def guardrail_routes(door: Door, check: CheckGuardrails) -> list[Route]:
    """`/api/v1/guardrails`, and asking what they would say."""

    async def show(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return {
            "guardrails": [guardrail_object(each) for each in check.known()],
            "tenant": list(check.of_tenant(by)),
        }

    async def ask(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), GuardrailCheckBody)
        if asked.where not in {where.value for where in Where}:
            raise InvalidRequest(f"where must be one of {', '.join(Where)}", param="where")
        body = bytes(asked.body)
        return answer_object(
            await check.check(
                by,
                AskedGuardrails(
                    text=asked.text,
                    where=Where(asked.where),
                    body=None if body == b"null" else body,
                    dialect=asked.dialect,
                    guardrails=tuple(asked.guardrails),
                    route=asked.route,
                    outside=asked.outside,
                ),
            )
        )

    return guarded_routes(
        door, {("GET", "/api/v1/guardrails"): show, ("POST", "/api/v1/guardrails/check"): ask}
    )


def guardrail_object(guardrail: Guardrail) -> dict[str, Any]:
    """A guardrail as the API tells it: what it does, not how, since its patterns may be told to nobody."""
    return {
        "name": guardrail.name,
        "kind": guardrail.kind.value,
        "where": sorted(where.value for where in guardrail.where),
        "action": guardrail.action.name.lower(),
        "stream": guardrail.stream.value,
        "everywhere": guardrail.everywhere,
        "on_error": guardrail.on_error.value,
    }


def answer_object(answer: GuardrailAnswer) -> dict[str, Any]:
    """What would be done, as the API tells it."""
    return {
        "allowed": answer.allowed,
        "asked": list(answer.asked),
        "unasked": list(answer.unasked),
        "verdicts": [
            {
                "guardrail": verdict.guardrail,
                "action": verdict.action.name.lower(),
                "reason": verdict.reason,
                "where": verdict.where or None,
                "field": verdict.path or None,
            }
            for verdict in answer.verdicts
        ],
        "text": answer.text,
        "body": None if answer.body is None else msgspec.Raw(answer.body),
    }
