"""Saying how good an answer was, and reading what was said."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from application.ports.quality import FeedbackFilter, QualityStore
from application.ports.request_rows import RequestRows
from application.ports.system import Clock
from domain.analytics.event import RequestEvent
from domain.errors import Conflict, InvalidRequest, NotFound
from domain.quality.feedback import (
    COMMENT_CHARS_MAX,
    SOURCE_CHARS_MAX,
    Feedback,
    Verdict,
    check_word,
)
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

PAGE_MAX: Final = 1000
REQUEST_ID_CHARS_MAX: Final = 200
SOURCES_MAX: Final = 20
"""For whom one key may speak about one answer: no key makes a crowd of opinions of a single one."""
LATE_ROW_WAIT_S: Final = 0.6
"""How long a row of another process may take to be in the database."""

Redact = Callable[[Principal, str], Awaitable[str | None]]
"""A comment without personal data; None where the tenant's policy forbids to keep it at all."""
Flush = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOfAnswer:
    """What a caller says. `source` tells several who speak with one key apart."""

    request_id: str
    verdict: Verdict
    source: str = ""
    comment: str = ""


class GiveFeedback:
    """Comments are kept without personal data, whatever the route's own privacy policy is."""

    def __init__(
        self, store: QualityStore, rows: RequestRows, flush: Flush, redact: Redact, clock: Clock
    ) -> None:
        self._store = store
        self._rows = rows
        self._flush = flush
        self._redact = redact
        self._clock = clock

    async def __call__(self, by: Principal, said: SaidOfAnswer) -> tuple[Feedback, bool]:
        """What was kept, and whether this key and source said nothing of that request before.

        Raises InvalidRequest, NotFound (also for another tenant's request), Conflict (SOURCES_MAX spoke
        already), StoreUnavailable, and what privacy policies that cannot be asked raise.
        """
        check_word(said.source, "source", SOURCE_CHARS_MAX)
        if len(said.comment) > COMMENT_CHARS_MAX:
            raise InvalidRequest(
                f"comment may have {COMMENT_CHARS_MAX} characters, not {len(said.comment)}", param="comment"
            )
        asked = await self._request(by, said.request_id)
        await self._check_crowd(by, asked, said.source)
        comment: str | None = said.comment
        if said.comment:
            comment = await self._redact(by, said.comment)
        if comment is None:
            raise InvalidRequest(
                "comment holds personal data, which the privacy policy of this tenant does not let through",
                param="comment",
            )
        given = Feedback(
            tenant_id=asked.tenant_id,
            request_id=asked.request_id,
            key_id=by.key_id,
            source=said.source,
            verdict=said.verdict,
            comment=comment,
            given_at_us=int(self._clock.utc_now().timestamp() * 1e6),
            asked_at_us=asked.started_at_us,
            user_id=asked.user_id,
            agent_id=asked.agent_id,
            provider=asked.provider,
            model=asked.model,
            task=asked.task,
            route=asked.route,
        )
        return given, await self._store.give(given)

    async def _check_crowd(self, by: Principal, asked: RequestEvent, source: str) -> None:
        mine = FeedbackFilter(tenant_id=asked.tenant_id, request_id=asked.request_id, key_id=by.key_id)
        given = await self._store.feedback(mine, limit=SOURCES_MAX)
        if len(given) == SOURCES_MAX and all(each.source != source for each in given):
            raise Conflict(
                f"this key spoke of this answer for {SOURCES_MAX} sources already; no more are kept",
                param="source",
            )

    async def _request(self, by: Principal, request_id: str) -> RequestEvent:
        """Rows are written behind the requests, so a new one may take a moment to be there."""
        if not 0 < len(request_id) <= REQUEST_ID_CHARS_MAX:
            raise InvalidRequest(
                f"request_id must have 1-{REQUEST_ID_CHARS_MAX} characters", param="request_id"
            )
        found = await self._rows.one(request_id, by.tenant_id)
        if found is None:
            await self._flush()
            found = await self._rows.one(request_id, by.tenant_id)
        if found is None:
            await asyncio.sleep(LATE_ROW_WAIT_S)
            found = await self._rows.one(request_id, by.tenant_id)
        if found is None:
            raise NotFound(f"no request {request_id[:80]!r} in this tenant", param="request_id")
        return found


class ReadFeedback:
    """Never shows what was said across the border of a tenant, unless the caller runs the installation."""

    def __init__(self, store: QualityStore) -> None:
        self._store = store

    async def __call__(self, by: Principal, where: FeedbackFilter, *, limit: int) -> list[Feedback]:
        """The newest first. Without a tenant in `where`: the caller's own, or all it may manage.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        check_tenant(by, where.tenant_id or by.tenant_id, "feedback.read")
        if not 1 <= limit <= PAGE_MAX:
            raise InvalidRequest(f"limit must be 1-{PAGE_MAX}", param="limit")
        if where.tenant_id is None and not by.may("tenants.manage"):
            where = replace(where, tenant_id=by.tenant_id)
        return await self._store.feedback(where, limit=limit)
