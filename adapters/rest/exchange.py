"""One request with everything that may happen to it: pace, proof, retries, a renewed token, a redirect."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import msgspec

from adapters.rest.answers import Answer, read_body
from adapters.rest.configuration import RestConfiguration, RetrySection
from adapters.rest.credentials import Credential
from adapters.rest.draft import Draft
from adapters.rest.expressions import found_in
from adapters.rest.origin import Origin
from application.ports.http import HttpRequest, HttpTransport, TransportFailed, TransportStage, header
from application.ports.system import Clock
from domain.connectors.rest.pacing import Pacer
from domain.connectors.rest.retrying import (
    RetryRules,
    RetryStrategy,
    retry_wait_s,
    seconds_in,
    seconds_until,
    told_retry_after_s,
)
from domain.errors import (
    EgressRefused,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    ToolFailed,
)
from domain.resilience.retry_budget import RetryBudget

REDIRECTS_MAX: Final = 3
FLOOR_PER_S: Final = 1.0
"""Retries that are always allowed, so that few calls may be tried again too."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SLACK_S: Final = 1.0
"""Whoever waits for us cancels at the deadline; this ends only what nobody cancelled."""


class Bounds(NamedTuple):
    """Of one request: when nobody waits any more (monotonic), how many bytes the answer may have, and
    whether sending it twice is as good as once."""

    deadline: float
    room: int
    repeatable: bool


class Exchange:
    """Belongs to one connector. Nothing in it holds a secret longer than a request takes."""

    def __init__(
        self,
        configuration: RestConfiguration,
        origin: Origin,
        transport: HttpTransport,
        credential: Credential,
        clock: Clock,
        *,
        draw: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._origin = origin
        self._transport = transport
        self._credential = credential
        self._clock = clock
        self._draw = draw
        self._sleep = sleep
        self._timeout_s = configuration.request_timeout_s
        self._connect_timeout_s = configuration.connect_timeout_s
        self._asking = configuration.retries
        self._rules = _rules(configuration.retries)
        self._budget = RetryBudget(configuration.retries.budget_ratio, FLOOR_PER_S)
        limit = configuration.rate_limit
        self._pacer = (
            None if limit is None else Pacer(requests=limit.requests, per_s=limit.per_s, burst=limit.burst)
        )
        self._pace_wait_s_max = 0.0 if limit is None else limit.wait_s_max

    async def ask(self, draft: Draft, bounds: Bounds) -> Answer:
        """The last answer, good or bad. Raises IntegrationUnavailable, EgressRefused, ToolFailed (too large)
        and InvalidParameters (cannot be sent at all)."""
        started = self._clock.monotonic()
        self._budget.on_request(started)
        retries = redirects = 0
        renewed = False
        while True:
            await self._pace(bounds)
            sent = draft.copy()
            await self._credential.prove(sent)
            answer, failed = await self._tried(sent, bounds)
            if answer is not None:
                if answer.status == 401 and not renewed:
                    renewed = True
                    if await self._credential.renew(sent):
                        continue
                if answer.status in _REDIRECTS and redirects < REDIRECTS_MAX:
                    redirects += 1
                    if (there := self._redirected(draft, answer)) is not None:
                        draft = there
                        continue
                if not self._worth_another(answer):
                    return answer._replace(retries=retries)
            wait_s = self._wait_s(retries, answer, failed, bounds, started)
            if wait_s is None:
                if failed is not None:
                    raise _told(failed)
                assert answer is not None
                return answer._replace(retries=retries)
            await self._sleep(wait_s)
            retries += 1

    async def _tried(self, sent: Draft, bounds: Bounds) -> tuple[Answer | None, TransportFailed | None]:
        left_s = bounds.deadline - self._clock.monotonic() + _SLACK_S
        request = HttpRequest(
            sent.method,
            self._origin.endpoint,
            sent.target,
            sent.headers,
            sent.body,
            connect_timeout_s=self._connect_timeout_s,
            total_timeout_s=max(0.001, min(self._timeout_s, left_s)),
        )
        try:
            response = await self._transport.send(request)
            try:
                body = await read_body(response, bounds.room)
            finally:
                response.close()
        except TransportFailed as failed:
            return None, failed
        answer = Answer(response.status, response.headers, body, sent.target)
        if answer.status < 400:
            return answer, None
        asked_s = told_retry_after_s(self._asked_s(answer))
        limited = self._is_limited(answer)
        return answer._replace(asked_s=asked_s, limited=limited), None

    async def _pace(self, bounds: Bounds) -> None:
        pacer = self._pacer
        if pacer is None:
            return
        now = self._clock.monotonic()
        wait_s = pacer.take(now, wait_s_max=min(self._pace_wait_s_max, bounds.deadline - now))
        if wait_s is None:
            raise IntegrationUnavailable(
                "the integration's own rate limit has no room (rate_limit)",
                retry_after_s=pacer.wait_s(now),
            )
        if wait_s <= 0:
            return
        try:
            await self._sleep(wait_s)
        except asyncio.CancelledError:
            pacer.give_back()
            raise

    def _worth_another(self, answer: Answer) -> bool:
        return answer.limited or answer.status in self._rules.statuses

    def _wait_s(
        self,
        retries: int,
        answer: Answer | None,
        failed: TransportFailed | None,
        bounds: Bounds,
        started: float,
    ) -> float | None:
        """Seconds before the next try; None: this was the last."""
        if failed is not None:
            if failed.stage is TransportStage.REFUSED:
                return None
            if failed.stage is not TransportStage.CONNECT and not bounds.repeatable:
                return None
        elif not bounds.repeatable:
            return None
        asked_s = None if answer is None else answer.asked_s
        wait_s = retry_wait_s(self._rules, retries, asked_s=asked_s, draw=self._draw())
        now = self._clock.monotonic()
        if wait_s is None or now + wait_s >= min(bounds.deadline, started + self._asking.total_s):
            return None
        return wait_s if self._budget.try_spend(now) else None

    def _asked_s(self, answer: Answer) -> float | None:
        """By the strategy's own place, else by Retry-After."""
        now, asking = self._clock.utc_now(), self._asking
        found: float | None = None
        if asking.strategy is RetryStrategy.HEADER_WAIT:
            found = seconds_in(header(answer.headers, asking.header), utc_now=now)
        elif asking.strategy is RetryStrategy.HEADER_UNTIL:
            found = seconds_until(header(answer.headers, asking.header) or "", utc_now=now)
        elif asking.strategy is RetryStrategy.BODY_WAIT:
            found = seconds_in(_found(answer.body, asking.path), utc_now=now)
        if found is not None:
            return found
        return seconds_in(header(answer.headers, "retry-after"), utc_now=now)

    def _is_limited(self, answer: Answer) -> bool:
        by = self._asking.limited_by
        if answer.status not in (403, 429):
            return False  # the last of what is allowed may fail for reasons of its own
        return by is not None and (header(answer.headers, by.header) or "").strip() == by.value

    def _redirected(self, draft: Draft, answer: Answer) -> Draft | None:
        """None: not for us to follow."""
        if draft.method not in ("GET", "HEAD"):
            return None
        target = self._origin.followed(header(answer.headers, "location") or "", answer.target)
        if target is None:
            return None
        there = draft.copy()
        there.target = target
        return there


def _rules(section: RetrySection) -> RetryRules:
    return RetryRules(
        max=section.max,
        strategy=section.strategy,
        base_s=section.base_s,
        cap_s=section.cap_s,
        statuses=frozenset(section.statuses),
    )


def _found(body: bytes, path: str) -> object:
    try:
        return found_in(path, msgspec.json.decode(body)) if len(body) < 64 * 1024 else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ToolFailed):
        return None


def _told(failed: TransportFailed) -> InterchangeError:
    """A failure of the transport in the words of connectors."""
    if failed.stage is TransportStage.REFUSED:
        if failed.by_rule:
            return EgressRefused(failed.message)
        return InvalidParameters(f"cannot be sent: {failed.message}", param="parameters")
    if failed.stage in (TransportStage.BODY, TransportStage.BODY_TIMEOUT):
        return ToolFailed(f"the answer was not whole: {failed.message}")
    if failed.stage is TransportStage.HEADERS_TIMEOUT:
        return IntegrationUnavailable("the other side did not answer in time")
    return IntegrationUnavailable(failed.message)
