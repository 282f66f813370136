"""Kept answers by their ids: fetched, deleted, cancelled, and their input listed.

What an account keeps is asked of that account and passed on as it says it; what Interchange keeps it answers
itself. To another tenant an id is as unknown as one that never was.
"""

from typing import NamedTuple
from urllib.parse import quote

from application.answer_memory import AnswerMemory
from application.fetched_answers import FetchedAnswers, FetchedFrames, FetchedReading
from application.identities import speak_for
from application.job import Attribution
from application.ports.answer_reading import AnswerReading, AnswerWatch
from application.ports.llm import UpstreamFailed
from application.ports.resources import (
    HeaderPairs,
    ProviderResources,
    ResourceAnswer,
    ResourceRequest,
    ResourceStream,
)
from application.ports.stored_answers import StoredAnswer
from application.privacy.recent import Caller
from application.use_cases.late_bills import LateBills
from domain.errors import InvalidRequest, NotFound, UpstreamError
from domain.llm.failures import FailureKind
from domain.tenancy.principal import Principal

Query = tuple[tuple[str, str], ...]
JSON = "application/json"
PAGE_DEFAULT = 20
PAGE_MAX = 100
FOLLOWED_S_MAX = 3600.0


class StoredResponses:
    """Everything raises NotFound for an id this tenant never got, UpstreamError when the account cannot be
    asked, and StoreUnavailable when it cannot be told whose the id is."""

    def __init__(
        self,
        *,
        memory: AnswerMemory,
        reading: AnswerReading,
        resources: ProviderResources,
        bills: LateBills,
        fetched: FetchedAnswers | None = None,
    ) -> None:
        self._fetched = fetched
        self._memory = memory
        self._reading = reading
        self._resources = resources
        self._bills = bills

    async def get(
        self, principal: Principal, response_id: str, query: Query, headers: HeaderPairs, who: Attribution
    ) -> ResourceAnswer:
        """The response as it is now. The bill of one made in the background is closed when it is done."""
        entry = await self._entry(principal, response_id)
        if not entry.native:
            return _own(self._reading.answer_of(entry.content or b""))
        reading = self._read_by(principal, entry, who)
        answer = await self._ask(entry, "GET", "", query, headers)
        await self._look(entry, answer)
        return answer if reading is None else await reading.whole(answer)

    async def follow(
        self, principal: Principal, response_id: str, query: Query, headers: HeaderPairs, who: Attribution
    ) -> "FollowedResponse":
        """The response as a stream of events, from the start or from where the caller left off.

        Raises InvalidRequest for one that Interchange keeps: it is complete, and its events are gone.
        """
        entry = await self._entry(principal, response_id)
        if not entry.native:
            raise InvalidRequest(
                "stream: this response is kept by Interchange and complete; fetch it without stream",
                param="stream",
            )
        reading = self._read_by(principal, entry, who)
        if reading is not None and reading.enforces and "starting_after" in dict(query):
            raise InvalidRequest(
                "starting_after: a privacy policy or a guardrail has this answer read from its start",
                param="starting_after",
            )
        asked = self._request(entry, "GET", "", query, headers)._replace(timeout_s=FOLLOWED_S_MAX)
        try:
            stream = await self._resources.open(asked)
        except UpstreamFailed as error:
            raise UpstreamError(error.failure, attempts=1) from None
        if stream.failure is not None and stream.failure.kind is FailureKind.AUTH:
            stream.close()
            raise UpstreamError(stream.failure, attempts=1)
        reading = reading if stream.failure is None else None
        return FollowedResponse(entry, stream, self._reading.watch(), self._bills, reading)

    async def delete(self, principal: Principal, response_id: str, headers: HeaderPairs) -> ResourceAnswer:
        """Deletes it where it is kept, then forgets it."""
        entry = await self._entry(principal, response_id)
        if entry.native:
            await self._settle_before_it_is_gone(entry, headers)
            answer = await self._ask(entry, "DELETE", "", (), headers)
            if answer.failure is not None and answer.status != 404:
                return answer
            await self._memory.forget(entry.tenant_id, entry.id)
            return answer
        await self._memory.forget(entry.tenant_id, entry.id)
        return _own(b'{"id":"%b","object":"response","deleted":true}' % response_id.encode())

    async def cancel(
        self, principal: Principal, response_id: str, headers: HeaderPairs, who: Attribution
    ) -> ResourceAnswer:
        """Stops one that is made in the background."""
        entry = await self._entry(principal, response_id)
        if not entry.native:
            raise InvalidRequest(
                "Only responses created with background=true can be cancelled.", param="response_id"
            )
        reading = self._read_by(principal, entry, who)
        answer = await self._ask(entry, "POST", "/cancel", (), headers)
        await self._look(entry, answer)
        return answer if reading is None else await reading.whole(answer)

    async def input_items(
        self, principal: Principal, response_id: str, query: Query, headers: HeaderPairs, who: Attribution
    ) -> ResourceAnswer:
        """A page of what the response was asked; of one kept here, with everything said before."""
        entry = await self._entry(principal, response_id)
        if entry.native:
            reading = self._read_by(principal, entry, who, page=True)
            answer = await self._ask(entry, "GET", "/input_items", query, headers)
            return answer if reading is None else await reading.whole(answer)
        page = _page(query)
        return _own(
            self._reading.input_page(
                entry.content or b"", order=page.order, limit=page.limit, after=page.after
            )
        )

    def _read_by(
        self, principal: Principal, entry: StoredAnswer, who: Attribution, *, page: bool = False
    ) -> FetchedReading | None:
        """What a privacy policy and guardrails have done to it, or to a page of what it was asked.

        Raises PrivacyUnavailable, GuardrailUnavailable, IdentityNotAllowed.
        """
        speak_for(principal, who)
        if self._fetched is None:
            return None
        caller = Caller(principal.tenant_id, principal.key_id, who.user_id, who.session_id)
        return self._fetched.reading(entry, caller, page=page)

    async def _entry(self, principal: Principal, response_id: str) -> StoredAnswer:
        found = await self._memory.find(principal.tenant_id, [response_id], again=True)
        entry = found.get(response_id)
        if entry is None or not (entry.native or entry.content):
            raise NotFound(f"Response with id '{response_id}' not found.", param="response_id")
        return entry

    async def _settle_before_it_is_gone(self, entry: StoredAnswer, headers: HeaderPairs) -> None:
        if entry.open_bill is not None:
            await self._look(entry, await self._ask(entry, "GET", "", (), headers))

    async def _look(self, entry: StoredAnswer, answer: ResourceAnswer) -> None:
        if entry.open_bill is not None and answer.failure is None:
            seen = self._reading.seen(answer.body)
            if seen is not None:
                await self._bills.close(entry, seen)

    async def _ask(
        self,
        entry: StoredAnswer,
        method: str,
        below: str,
        query: Query,
        headers: HeaderPairs,
    ) -> ResourceAnswer:
        try:
            answer = await self._resources.fetch(self._request(entry, method, below, query, headers))
        except UpstreamFailed as error:
            raise UpstreamError(error.failure, attempts=1) from None
        if answer.failure is not None and answer.failure.kind is FailureKind.AUTH:
            # It speaks about the operator's credential, which is no business of the caller.
            raise UpstreamError(answer.failure, attempts=1)
        return answer

    def _request(
        self,
        entry: StoredAnswer,
        method: str,
        below: str,
        query: Query,
        headers: HeaderPairs,
    ) -> ResourceRequest:
        return ResourceRequest(
            entry.provider,
            method,
            f"/responses/{quote(entry.id, safe='')}{below}",
            entry.credential,
            query,
            headers,
        )


class FollowedResponse:
    """A forwarded stream. Always `close()` it."""

    def __init__(
        self,
        entry: StoredAnswer,
        stream: ResourceStream,
        watch: AnswerWatch,
        bills: LateBills,
        reading: FetchedReading | None = None,
    ) -> None:
        self._entry = entry
        self._stream = stream
        self._watch = watch
        self._bills = bills
        self._read = None if reading is None else reading.stream(FetchedFrames(self._next, stream.close))
        self.in_frames = self._read is not None
        """Whether what it gives is whole frames, behind each of which another may be put."""
        self.created_at_us = entry.created_at_us
        self.model = entry.target_id.partition("/")[2]
        self.status = stream.status
        self.headers = stream.headers
        self.content_type = stream.content_type

    async def next_chunk(self) -> bytes:
        """Bytes as they arrive; `b""` at the end. Raises UpstreamError when it breaks, and what a privacy
        policy or a guardrail refuses with."""
        if self._read is None:
            return await self._next()
        while (block := await self._read.next_block()) is not None:
            if block.raw:
                return block.raw
        return b""

    async def _next(self) -> bytes:
        try:
            data = await self._stream.next_chunk()
        except UpstreamFailed as error:
            raise UpstreamError(error.failure, attempts=1) from None
        if self._entry.open_bill is not None and data:
            seen = self._watch.feed(data)
            if seen is not None:
                await self._bills.close(self._entry, seen)
        return data

    def close(self) -> None:
        """Ends the exchange. Idempotent, never waits."""
        self._stream.close()
        if self._read is not None:
            self._read.close()


class _Page(NamedTuple):
    order: str
    limit: int
    after: str


def _page(query: Query) -> _Page:
    asked = dict(query)
    limit = asked.get("limit", str(PAGE_DEFAULT))
    order = asked.get("order", "desc")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 4 and 1 <= int(limit) <= PAGE_MAX):
        raise InvalidRequest(f"limit: a whole number from 1 to {PAGE_MAX} is expected", param="limit")
    if order not in ("asc", "desc"):
        raise InvalidRequest("order: 'asc' or 'desc' is expected", param="order")
    return _Page(order, int(limit), asked.get("after", ""))


def _own(body: bytes) -> ResourceAnswer:
    return ResourceAnswer(200, (), body, JSON, None)
