"""A REST integration, open: its tools, and calls of them page by page."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from adapters.rest.answers import Answer, credential_refused, decoded, judge
from adapters.rest.configuration import CheckSection
from adapters.rest.credentials import Credential
from adapters.rest.draft import Draft
from adapters.rest.exchange import Bounds, Exchange
from adapters.rest.expressions import found_in
from adapters.rest.origin import Origin
from adapters.rest.plan import ToolPlan
from adapters.rest.tool_section import PaginationSection
from application.ports.connector import ByteStream, Connector, ConnectorFigures, ToolOutcome
from application.ports.http import header
from application.ports.system import Clock
from domain.connectors.rest.links import link_of
from domain.connectors.rest.paging import Pager, PageSeen, PagingKind, Step
from domain.connectors.tool import RESULT_BYTES_MAX, ToolCall
from domain.errors import IntegrationUnavailable, InterchangeError, InvalidParameters, ToolFailed

THREAD_FROM_BYTES: Final = 512 * 1024
"""Larger answers are read beside the loop, so that others go on meanwhile."""
CHECK_TIMEOUT_S: Final = 15.0
_CHECK_BYTES_MAX: Final = 1024 * 1024
_REFUSED: Final = frozenset({401, 403, 407})


class RestConnector(Connector):
    """Holds no connections of its own: they belong to the transport."""

    def __init__(
        self,
        plans: Mapping[str, ToolPlan],
        exchange: Exchange,
        credential: Credential,
        origin: Origin,
        check: CheckSection,
        headers: Sequence[tuple[str, str]],
        clock: Clock,
    ) -> None:
        self._plans = plans
        self._tools = tuple(plan.tool for plan in plans.values())
        self._exchange = exchange
        self._credential = credential
        self._origin = origin
        self._check = check
        self._headers = headers
        self._clock = clock
        self._running = 0
        self._closed = False

    @property
    def tools(self) -> Sequence[Any]:
        return self._tools

    async def execute(self, call: ToolCall) -> ToolOutcome:
        if self._closed:
            raise IntegrationUnavailable("the integration was closed")
        plan = self._plans.get(call.tool.name)
        if plan is None:
            raise InvalidParameters("there is no such tool", param="tool_name")
        deadline = self._clock.monotonic() + call.timeout_s
        # Retries have to carry the same key; a caller's own lasts longer than one request.
        key = call.idempotency_key or call.request_id
        self._running += 1
        try:
            if plan.paging is None:
                return await self._whole(plan, call, deadline, key)
            return await self._paged(plan, call, deadline, key, Pager(plan.paging))
        finally:
            self._running -= 1

    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        del call, content_type
        raise InvalidParameters("results of this tool are not streamed", param="accept")

    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        del call, body, size_bytes
        raise InvalidParameters("this tool takes no body", param="body")

    async def check(self) -> Mapping[str, Any]:
        if self._closed:
            raise IntegrationUnavailable("the integration was closed")
        draft = Draft(
            method=self._check.method,
            target=self._origin.prefix + self._check.path,
            headers=list(self._headers),
        )
        bounds = Bounds(self._clock.monotonic() + CHECK_TIMEOUT_S, _CHECK_BYTES_MAX, repeatable=True)
        try:
            answer = await self._exchange.ask(draft, bounds)
        except (ToolFailed, InvalidParameters) as error:
            raise IntegrationUnavailable(f"the check failed: {error.message}") from None
        if answer.status in _REFUSED:
            raise credential_refused(answer.status)
        if answer.status >= 500:
            raise IntegrationUnavailable(
                f"the other side answered {answer.status}",
                retry_after_s=answer.asked_s,
                details={"status": answer.status},
            )
        if self._check.failed and self._says_refused(answer):
            raise credential_refused(answer.status)
        return {"status": answer.status}

    async def discover(self) -> bool:
        return False

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures(busy=self._running)

    async def aclose(self) -> None:
        self._closed = True
        await self._credential.aclose()

    async def _whole(self, plan: ToolPlan, call: ToolCall, deadline: float, key: str) -> ToolOutcome:
        draft = plan.draft(call.parameters, Step(), None, key)
        _tell(draft, call)
        answer = await self._exchange.ask(draft, Bounds(deadline, RESULT_BYTES_MAX, plan.repeatable))
        select = plan.section.response.select
        value = await self._read(plan, answer)
        if select:
            value = await _beside(len(answer.body), _selected, select, value, len(answer.body))
        said: dict[str, Any] = {"status": answer.status, "data": value, **_shown(plan, answer)}
        rows = len(value) if isinstance(value, list) else None
        return ToolOutcome(said, rows, upstream_status=answer.status, retries=answer.retries)

    async def _paged(
        self, plan: ToolPlan, call: ToolCall, deadline: float, key: str, pager: Pager
    ) -> ToolOutcome:
        """Everything or nothing: a page that fails is the call's failure."""
        section = plan.section.pagination
        assert section is not None
        items: list[Any] = []
        step: Step | None = pager.begin()
        target: str | None = None
        size = retries = 0
        while step is not None:
            # A key of idempotency belongs to one request: each page is another.
            page_key = f"{key}-{pager.pages}" if key and pager.pages > 1 else key
            draft = plan.draft(call.parameters, step, target, page_key)
            _tell(draft, call)
            bounds = Bounds(deadline, RESULT_BYTES_MAX - size, plan.repeatable)
            answer = await self._exchange.ask(draft, bounds)
            size += len(answer.body)
            retries += answer.retries
            value = await self._read(plan, answer)
            seen = _items(section, value)
            items.extend(seen)
            if len(items) >= section.items_max:
                page = _page(section, answer, value, seen)
                pager.cut = len(items) > section.items_max or pager.follow(page) is not None or pager.cut
                del items[section.items_max :]
                break
            step = pager.follow(_page(section, answer, value, seen))
            target = self._followed(step, answer)
        select = plan.section.response.select
        data: Any = items
        if select:
            data = await _beside(size, _selected, select, items, size)
        said = {
            "status": answer.status,
            "data": data,
            "pages": pager.pages,
            "truncated": pager.cut,
            **_shown(plan, answer),
        }
        return ToolOutcome(said, len(items), pager.cut, answer.status, retries)

    async def _read(self, plan: ToolPlan, answer: Answer) -> Any:
        secrets = self._credential.spellings()
        value = await _beside(len(answer.body), judge, answer, plan.section.response, secrets)
        if plan.answer_schema is not None:
            plan.answer_schema.check(value)
        return value

    def _followed(self, step: Step | None, answer: Answer) -> str | None:
        if step is None or step.link is None:
            return None
        target = self._origin.followed(step.link, answer.target)
        if target is None:
            raise ToolFailed("the next page is said to be at another origin, where no credential goes")
        return target

    def _says_refused(self, answer: Answer) -> bool:
        try:
            value = decoded(answer, self._credential.spellings())
            return found_in(self._check.failed, value) is True
        except InterchangeError:
            return False


async def _beside(size: int, work: Any, *arguments: Any) -> Any:
    if size < THREAD_FROM_BYTES:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def _tell(draft: Draft, call: ToolCall) -> None:
    """Which trace it belongs to."""
    for name, value in call.trace:
        draft.set_header(name, value)


def _selected(select: str, value: Any, size: int) -> Any:
    made = found_in(select, value, size_bytes=size)
    if not _fits(made, RESULT_BYTES_MAX):
        raise ToolFailed("what the integration's JMESPath makes of the answer is too large")
    return made


def _fits(value: Any, room: int) -> bool:
    """Whether it is surely not much larger than so many bytes as JSON; stops as soon as it is not."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            room -= len(each) + 2
        elif isinstance(each, dict):
            room -= 2 + sum(len(key) + 4 for key in each)
            pending.extend(each.values())
        elif isinstance(each, list):
            room -= 2 + len(each)
            pending.extend(each)
        else:
            room -= 4
        if room < 0:
            return False
    return True


def _items(section: PaginationSection, value: Any) -> list[Any]:
    found = found_in(section.items, value)
    if found is None:
        return []
    if not isinstance(found, list):
        raise ToolFailed("the answer has no list where pagination.items looks for it")
    return found


def _page(section: PaginationSection, answer: Answer, value: Any, items: list[Any]) -> PageSeen:
    cursor: Any = None
    link: str | None = None
    if section.kind is PagingKind.LINK_HEADER:
        said = ", ".join(text for name, text in answer.headers if name == "link")
        link = link_of(said or header(answer.headers, "link"))
    elif section.next:
        found = found_in(section.next, value)
        cursor = found if isinstance(found, str | int) else None
        link = found if isinstance(found, str) else None
    more = found_in(section.more, value) if section.more else None
    total = found_in(section.total, value) if section.total else None
    return PageSeen(
        items=len(items),
        cursor=cursor,
        link=link,
        more=more if isinstance(more, bool) else None,
        total=total if isinstance(total, int) and not isinstance(total, bool) else None,
    )


def _shown(plan: ToolPlan, answer: Answer) -> dict[str, Any]:
    names = plan.section.response.headers
    if not names:
        return {}
    return {"headers": {name: text for name in names if (text := header(answer.headers, name)) is not None}}
