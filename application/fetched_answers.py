"""Answers that a provider keeps and that are fetched by their ids: under the policy and the guardrails of the
route that asked for them, as these are when they are fetched.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from application.answer_stream import AnswerStream
from application.guardrails.checking import Body
from application.guardrails.inspecting import GuardedAnswer, GuardrailInspector
from application.places import Places
from application.ports.llm import Block, UpstreamAnswer
from application.ports.resources import ResourceAnswer
from application.ports.stored_answers import StoredAnswer
from application.ports.system import Clock
from application.ports.wire import OPENAI_RESPONSES
from application.privacy.inspecting import PrivacyInspector
from application.privacy.recent import Caller
from application.protection import Protection, delivered
from application.runtime import Runtime
from domain.errors import PrivacyUnavailable
from domain.guardrails.terms import SchemaRule, SizeRule
from domain.routing.target import Route

FRAME_BYTES_MAX: Final = 8 * 1024 * 1024
_JSON: Final = "application/json"
_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")
_OF_ONE_ANSWER: Final = (SchemaRule, SizeRule)
"""Rules that say nothing about a page of what was asked and answered before."""


class FetchedAnswers:
    """Looks at each answer before its caller does."""

    def __init__(
        self,
        inspector: PrivacyInspector,
        guardrails: GuardrailInspector,
        places: Places,
        runtime: Runtime,
        clock: Clock,
    ) -> None:
        self._inspector = inspector
        self._guardrails = guardrails
        self._places = places
        self._runtime = runtime
        self._clock = clock

    def reading(self, entry: StoredAnswer, caller: Caller, *, page: bool = False) -> "FetchedReading | None":
        """What has to be done to this one, or to a `page` of what it was asked; None: it may go on as it
        comes. Raises PrivacyUnavailable, GuardrailUnavailable.

        A route that is no longer configured has the general policy and guardrails, with the tenant's.
        """
        inspector = self._inspector
        route = self._runtime.snapshot[0].routes.get(entry.route) or Route(name=entry.route, targets=())
        policy = inspector.effective(entry.tenant_id, route)
        placeholders = inspector.placeholders(entry.tenant_id)
        inspector.recent.give_back(caller, placeholders, self._clock.monotonic())
        protections: list[Protection] = []
        if policy.enforces_answers or placeholders.values:
            protections.append(inspector.answering(entry.tenant_id, OPENAI_RESPONSES, policy, placeholders))
        guarded = self._guarded(entry, route, page=page)
        if guarded is not None:
            protections.append(guarded)
        if not protections:
            return None
        return FetchedReading(protections, enforces=policy.enforces_answers or guarded is not None)

    def _guarded(self, entry: StoredAnswer, route: Route, *, page: bool) -> Protection | None:
        answered = tuple(
            each
            for each in self._guardrails.of(entry.tenant_id, route).answered
            if not (page and isinstance(each.rule, _OF_ONE_ANSWER))
        )
        if not answered:
            return None
        body = Body(
            request_id=entry.id,
            tenant_id=entry.tenant_id,
            route=route.name,
            answer=True,
            residency=self._places.of_tenant(entry.tenant_id),
        )
        return GuardedAnswer(
            self._guardrails, OPENAI_RESPONSES, body, answered, _counted_alone, _counted_alone
        )


def _counted_alone(_names: Iterable[str]) -> None:
    """Warnings about what is fetched are in the counts; the answer's own headers are its provider's."""


class FetchedReading:
    """Of one answer. `enforces`: something is done to what it says, so it has to be read from its start."""

    def __init__(self, protections: list[Protection], *, enforces: bool) -> None:
        self.enforces = enforces
        self._protections = protections

    async def whole(self, answer: ResourceAnswer) -> ResourceAnswer:
        """A whole one, or a page of what it was asked.

        Raises PiiBlocked, PrivacyUnavailable, GuardrailBlocked, GuardrailUnavailable.
        """
        if answer.failure is not None or not answer.body:
            return answer
        made = said = UpstreamAnswer(answer.body, _JSON, None, None)
        for protection in self._protections:
            made = await protection.answer(made)
        made = delivered(self._protections, made)
        return answer if made is said else answer._replace(body=made.body)

    def stream(self, stream: AnswerStream) -> AnswerStream:
        """Whole frames as they may be shown; what it raises besides what it is made from: as `whole`."""
        for protection in self._protections:
            stream = protection.stream(stream)
        for protection in reversed(self._protections):
            stream = protection.deliver_stream(stream)
        return stream


class FetchedFrames(AnswerStream):
    """Bytes that come cut anywhere, as blocks of whole frames."""

    def __init__(self, next_chunk: Callable[[], Awaitable[bytes]], close: Callable[[], None]) -> None:
        self.headers = ()
        self._next_chunk = next_chunk
        self._close = close
        self._held = b""

    async def next_block(self) -> Block | None:
        """Raises PrivacyUnavailable for a frame without an end, and what the bytes' source raises."""
        while data := await self._next_chunk():
            held = self._held + data
            cut = max(held.rfind(end) + len(end) if end in held else 0 for end in _ENDS)
            if len(held) - cut > FRAME_BYTES_MAX:
                raise PrivacyUnavailable("the answer cannot be read for personal data")
            self._held = held[cut:]
            if cut:
                return Block(held[:cut], ())
        held, self._held = self._held, b""
        return Block(held, ()) if held else None

    def close(self) -> None:
        self._close()
