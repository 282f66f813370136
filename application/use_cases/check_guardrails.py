"""What guardrails there are, and what they would say to a text or a body. Nothing is sent to a provider."""

from dataclasses import dataclass
from threading import Event

from application.guardrails.book import GuardrailSet
from application.guardrails.checking import Body, Outcome
from application.guardrails.inspecting import GuardrailInspector
from application.guardrails.texts import Gathering, Replacing
from application.ports.system import IdFactory
from application.ports.wire import FAMILY
from application.runtime import Runtime
from domain.errors import InvalidRequest
from domain.guardrails.terms import ANSWERED, Guardrail, TextSeen, Verdict
from domain.privacy.policy import Where
from domain.tenancy.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedGuardrails:
    """One of `text` and `body`. `guardrails` or `route` say which are asked; neither: those for all.

    `outside`: webhooks are really asked.
    """

    text: str | None = None
    where: Where = Where.PROMPTS
    body: bytes | None = None
    dialect: str = ""
    guardrails: tuple[str, ...] = ()
    route: str = ""
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailAnswer:
    """`text` and `body` are what would go on; None where nothing would. `unasked`: webhooks that were left
    out."""

    allowed: bool
    asked: tuple[str, ...]
    unasked: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    text: str | None = None
    body: bytes | None = None


class CheckGuardrails:
    """Those of the caller's own tenant are always added."""

    def __init__(self, inspector: GuardrailInspector, runtime: Runtime, ids: IdFactory) -> None:
        self._inspector = inspector
        self._runtime = runtime
        self._ids = ids

    def known(self) -> tuple[Guardrail, ...]:
        """All that a route or a tenant may name, in the order in which they are asked."""
        return tuple(self._inspector.book.guardrails.values())

    def of_tenant(self, by: Principal) -> tuple[str, ...]:
        """Those that the caller's tenant names."""
        return self._inspector.tenants.of(by.tenant_id).guardrails

    async def check(self, by: Principal, asked: AskedGuardrails) -> GuardrailAnswer:
        """Raises InvalidRequest, UnknownModel for a route, GuardrailUnavailable."""
        if (asked.text is None) == (asked.body is None):
            raise InvalidRequest("give either text or body", param="text")
        if asked.body is not None and asked.dialect not in FAMILY:
            raise InvalidRequest(f"dialect must be one of {', '.join(FAMILY)}", param="dialect")
        among = self._set(by, asked)
        answer = asked.body is None and asked.where in ANSWERED
        guardrails = among.answered if answer else among.asked
        now = tuple(each for each in guardrails if asked.outside or not each.outside)
        raw = asked.body if asked.body is not None else (asked.text or "").encode(errors="replace")
        checks = self._inspector.checks

        def here(_: Event) -> Outcome:
            gathering = self._gathered(asked)
            return checks.here(now, gathering.texts, gathering.unread)

        outcome = await self._inspector.apart(by.tenant_id, raw, here, now)
        whose = Body(
            request_id=self._ids.next("req"), tenant_id=by.tenant_id, route=asked.route, answer=answer
        )
        await checks.outside(now, outcome, whose)
        text, body = (None, None) if outcome.blocked else self._rewritten(asked, outcome)
        return GuardrailAnswer(
            allowed=not outcome.blocked,
            asked=tuple(each.name for each in now),
            unasked=tuple(each.name for each in guardrails if each not in now),
            verdicts=tuple(outcome.verdicts),
            text=text,
            body=body,
        )

    def _set(self, by: Principal, asked: AskedGuardrails) -> GuardrailSet:
        if asked.guardrails and asked.route:
            raise InvalidRequest("give guardrails or route, not both", param="guardrails")
        book = self._inspector.book
        for name in asked.guardrails:
            if name not in book.guardrails:
                known = ", ".join(book.guardrails) or "none"
                raise InvalidRequest(f"no guardrail {name!r}; known: {known}", param="guardrails")
        if asked.route:
            route = self._runtime.snapshot[0].resolve(asked.route, by.tenant_id)
            return self._inspector.of(by.tenant_id, route)
        return book.of(asked.guardrails, self.of_tenant(by))

    def _gathered(self, asked: AskedGuardrails) -> Gathering:
        gathering = Gathering()
        if asked.body is None:
            gathering.texts.append(TextSeen(asked.text or "", asked.where, "content"))
        else:
            self._inspector.texts.request(asked.dialect, asked.body, "application/json", gathering)
        return gathering

    def _rewritten(self, asked: AskedGuardrails, outcome: Outcome) -> tuple[str | None, bytes | None]:
        work = Replacing(outcome.replacements)
        if asked.body is None:
            return work.whole(asked.text or "", asked.where, "content"), None
        return None, self._inspector.texts.request(asked.dialect, asked.body, "application/json", work)
