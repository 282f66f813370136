"""Asking guardrails about a request before anything of it leaves, and about its answer."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Final, NamedTuple, TypeVar

from application.answer_stream import AnswerStream
from application.guardrails.book import GuardrailBook, GuardrailSet
from application.guardrails.checking import Body, Checks, Outcome
from application.guardrails.streams import HeldBytes, HeldStream, WatchedStream
from application.guardrails.texts import Gathering, Replacing
from application.guardrails.windows import WindowStream, WindowWork
from application.inspection import Inspector
from application.job import Job
from application.ports.llm import UpstreamAnswer
from application.ports.text_fields import TextFields
from application.ports.wire import RequestReader
from application.privacy.offloading import Offloading, is_quick
from application.protection import Protection
from application.tenant_book import TenantBook
from domain.errors import GuardrailUnavailable, InterchangeError
from domain.guardrails.terms import Action, Guardrail, StreamMode, TextSeen
from domain.llm.request import LlmRequest, Operation
from domain.privacy.policy import Where
from domain.routing.target import Route

T = TypeVar("T")
log = logging.getLogger("interchange")

INLINE_STEPS_MAX: Final = 1_000_000
"""At worst; about 20 ms. More is read in a thread."""

Unread = list[tuple[Where, str]]


class GuardrailInspector(Inspector):
    """Comes after privacy policies, so that checks get texts as these let them go on. Where no guardrail is
    named, a request is asked nothing."""

    def __init__(
        self,
        *,
        book: GuardrailBook,
        tenants: TenantBook,
        texts: TextFields,
        checks: Checks,
        reader: RequestReader,
        offloading: Offloading,
    ) -> None:
        self.book = book
        self.tenants = tenants
        self.texts = texts
        self.checks = checks
        self.held = HeldBytes()
        self._reader = reader
        self._offloading = offloading

    def version(self, tenant_id: str, route: Route) -> str:
        """Names the guardrails of a tenant's requests to a route; empty: none.

        Raises GuardrailUnavailable.
        """
        return self.of(tenant_id, route).digest

    def of(self, tenant_id: str, route: Route) -> GuardrailSet:
        """Those guardrails. Raises GuardrailUnavailable."""
        tenant = self.tenants.known(tenant_id)
        return self.book.of(route.guardrails, () if tenant is None else tenant.guardrails)

    def request(self, job: Job, route: Route) -> Awaitable[None] | None:
        guardrails = self.of(job.principal.tenant_id, route)
        if not guardrails.all:
            return None
        return self._inspect(job, route, guardrails)

    async def foresee(self, job: Job, route: Route) -> None:
        """Makes the request what a provider would see of it, without asking anybody outside.

        Raises GuardrailBlocked, GuardrailUnavailable.
        """
        asked = tuple(each for each in self.of(job.principal.tenant_id, route).asked if not each.outside)
        if asked:
            outcome = await self._here(job, asked)
            outcome.refuse(answer=False)
            await self._rewrite(job, outcome)

    async def apart(
        self,
        tenant_id: str,
        body: bytes,
        work: Callable[[Event], T],
        guardrails: Iterable[Guardrail] = (),
    ) -> T:
        """The result of `work`, which reads `body` for these guardrails, without letting others wait for it.
        The event it gets is set when nobody waits any more.

        Raises GuardrailUnavailable, and what it refuses with.
        """

        def safely(nobody_waits: Event) -> T:
            try:
                return work(nobody_waits)
            except InterchangeError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing goes on unread
                # Its message may repeat what was read.
                log.error("guardrails could not be asked: %s", type(error).__name__)
                raise GuardrailUnavailable("guardrails cannot be asked") from None

        steps = len(body) * sum(each.steps for each in guardrails)
        return await self._offloading(
            tenant_id, body, safely, quick=steps <= INLINE_STEPS_MAX and is_quick(body)
        )

    def body_of(self, job: Job, route: str, *, answer: bool) -> Body:
        """Whose texts these are."""
        return Body(
            request_id=job.request_id,
            tenant_id=job.principal.tenant_id,
            route=route,
            answer=answer,
            residency=job.residency,
        )

    async def _inspect(self, job: Job, route: Route, guardrails: GuardrailSet) -> None:
        if guardrails.asked:
            outcome = await self._here(job, guardrails.asked)
            await self.checks.outside(guardrails.asked, outcome, self.body_of(job, route.name, answer=False))
            if outcome.verdicts:
                job.objected(outcome.objecting)
            outcome.refuse(answer=False)
            await self._rewrite(job, outcome)
            job.guardrail_warnings = outcome.warnings
        if guardrails.answered and job.request.operation is not Operation.EMBEDDINGS:
            body = self.body_of(job, route.name, answer=True)
            warned = partial(_warn_caller, job)
            job.protections.append(
                GuardedAnswer(self, job.request.dialect, body, guardrails.answered, warned, job.objected)
            )

    async def _here(self, job: Job, asked: tuple[Guardrail, ...]) -> Outcome:
        def read(nobody_waits: Event) -> Outcome:
            gathering = Gathering()
            request = job.request
            self.texts.request(request.dialect, request.body, request.content_type, gathering)
            if request.home is not None and request.home.elsewhere is not None:
                self.texts.request(request.dialect, request.home.elsewhere, request.content_type, gathering)
            return self.checks.here(asked, gathering.texts, gathering.unread, nobody_waits)

        return await self.apart(job.principal.tenant_id, _bodies(job.request), read, asked)

    async def _rewrite(self, job: Job, outcome: Outcome) -> None:
        replacements, request = outcome.replacements, job.request
        if not replacements:
            return
        work = Replacing(replacements)

        def rewritten(_: Event) -> tuple[bytes, bytes | None]:
            body = self.texts.request(request.dialect, request.body, request.content_type, work)
            elsewhere = None if request.home is None else request.home.elsewhere
            if elsewhere is not None:
                elsewhere = self.texts.request(request.dialect, elsewhere, request.content_type, work)
            return body, elsewhere

        body, elsewhere = await self.apart(job.principal.tenant_id, _bodies(request), rewritten)
        if body is not request.body:
            read = self._reader.read(request.dialect, body, request.content_type)
            request.body = read.body
            request.fields = read.fields
            request.contents = read.contents
            request.media_bytes = read.media_bytes
            request.media_parts = read.media_parts
            request.units = read.units
        if request.home is not None:
            request.home = replace(request.home, elsewhere=elsewhere)


class GuardedAnswer(Protection):
    """What the guardrails of one request do to its answer, before it is kept anywhere.

    `warned` is told the names of those that object to it without stopping it, `objected` those of all.
    """

    def __init__(
        self,
        inspector: GuardrailInspector,
        dialect: str,
        body: Body,
        guardrails: tuple[Guardrail, ...],
        warned: Callable[[tuple[str, ...]], None],
        objected: Callable[[Iterable[str]], None],
    ) -> None:
        self._inspector = inspector
        self._tenant_id = body.tenant_id
        self._dialect = dialect
        self._body = body
        self._guardrails = guardrails
        self._warned = warned
        self._objected = objected

    async def answer(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        """Raises GuardrailBlocked, GuardrailUnavailable."""
        texts = self._inspector.texts

        def gathered(_: Event) -> Gathering:
            gathering = Gathering()
            try:
                texts.answer(self._dialect, answer.body, answer.content_type, gathering)
            except ValueError:
                raise GuardrailUnavailable("the answer cannot be read for guardrails") from None
            return gathering

        gathering = await self._inspector.apart(self._tenant_id, answer.body, gathered)
        outcome = await self._judge(gathering.texts, gathering.unread, answer.body)
        replacements = outcome.replacements
        if not replacements:
            return answer

        def rewritten(_: Event) -> bytes:
            return texts.answer(self._dialect, answer.body, answer.content_type, Replacing(replacements))

        return answer._replace(body=await self._inspector.apart(self._tenant_id, answer.body, rewritten))

    def stream(self, stream: AnswerStream) -> AnswerStream:
        texts = self._inspector.texts
        ways = ways_of(self._guardrails)
        if ways.held:
            return HeldStream(stream, self._dialect, texts, self._judge_stream, self._inspector.held)
        checks = self._inspector.checks
        if ways.windowed:
            work = WindowWork(ways.windowed, checks.detector, self._note_block)
            stream = WindowStream(stream, texts.stream(self._dialect, work))
        if ways.watched:
            stream = WatchedStream(stream, self._dialect, texts, self._warn)
        return stream

    def deliver(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        return answer

    def deliver_stream(self, stream: AnswerStream) -> AnswerStream:
        return stream

    async def _judge_stream(self, texts: list[TextSeen], unread: Unread) -> Outcome:
        return await self._judge(texts, unread, "".join(seen.text for seen in texts).encode(errors="replace"))

    async def _warn(self, texts: list[TextSeen], unread: Unread) -> Outcome:
        """Counts what those that only warn say; nothing of it can be told any more."""
        warning = tuple(each for each in self._guardrails if each.action is Action.WARN)
        raw = "".join(seen.text for seen in texts).encode(errors="replace")
        outcome = await self._here(warning, texts, unread, raw)
        await self._inspector.checks.outside(warning, outcome, self._body)
        self._objected(outcome.objecting)
        return outcome

    def _note_block(self, guardrail: str, action: str) -> None:
        self._inspector.checks.counts.note(guardrail, action)
        self._objected((guardrail,))

    async def _judge(self, texts: list[TextSeen], unread: Unread, raw: bytes) -> Outcome:
        outcome = await self._here(self._guardrails, texts, unread, raw)
        await self._inspector.checks.outside(self._guardrails, outcome, self._body)
        self._objected(outcome.objecting)
        outcome.refuse(answer=True)
        self._warned(outcome.warnings)
        return outcome

    async def _here(
        self, guardrails: tuple[Guardrail, ...], texts: list[TextSeen], unread: Unread, raw: bytes
    ) -> Outcome:
        checks = self._inspector.checks
        return await self._inspector.apart(
            self._tenant_id,
            raw,
            lambda nobody_waits: checks.here(guardrails, texts, unread, nobody_waits),
            guardrails,
        )


class Ways(NamedTuple):
    """How the guardrails of a stream look at it: all of them held, or some along the way."""

    held: bool
    windowed: tuple[Guardrail, ...]
    watched: bool


def ways_of(guardrails: tuple[Guardrail, ...]) -> Ways:
    """One that has to see all of it before anything goes on makes all others wait with it."""
    stopping = tuple(each for each in guardrails if each.action is not Action.WARN)
    held = any(each.stream is StreamMode.HOLD for each in stopping)
    return Ways(held, () if held else stopping, len(stopping) < len(guardrails))


def _warn_caller(job: Job, names: tuple[str, ...]) -> None:
    job.guardrail_warnings = tuple(dict.fromkeys((*job.guardrail_warnings, *names)))


def guarded(job: Job) -> bool:
    """Whether a guardrail looks at the answer of a request, so that it has to come through here."""
    return any(isinstance(protection, GuardedAnswer) for protection in job.protections)


def _bodies(request: LlmRequest) -> bytes:
    home = request.home
    return request.body if home is None or home.elsewhere is None else request.body + home.elsewhere
