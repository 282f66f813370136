"""The answer cache for its operators: how it is, what is kept, and what no longer counts."""

import asyncio
import logging
from collections.abc import Callable
from math import isfinite
from typing import Final, NamedTuple

from application.caching.nearest import NearestQuestions
from application.caching.tiers import AnswerTiers, TierFacts
from application.job import Attribution, Job
from application.ports.answer_store import StoreFacts
from application.ports.embedder import Embedder, Vector
from application.ports.system import Clock
from application.ports.vector_index import IndexFacts
from application.runtime import Runtime
from domain.caching.entry import CachedAnswer, Position
from domain.caching.invalidation import (
    InvalidationKind,
    InvalidationRule,
    Radius,
    check_name,
    radius_value,
)
from domain.caching.key import KEY_BYTES
from domain.caching.policy import CacheMode, CacheScope
from domain.errors import Forbidden, InvalidRequest, NotFound, StoreUnavailable, UnknownModel
from domain.llm.request import LlmRequest, Operation
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal
from domain.time import Deadline

log = logging.getLogger("interchange")

READ: Final = "cache.read"
WRITE: Final = "cache.write"
CALL: Final = "llm.call"
HEARD_BY_ALL_WITHIN_S: Final = 1.0
"""Every instance reads the log twice a second or more often."""
HEARD_LATE_S: Final = 5.0
"""A log that was not read for so long is broken, not busy."""
EMBED_WITHIN_S: Final = 5.0
LOOK_WITHIN_S: Final = 5.0
TEXT_CHARS_MAX: Final = 20_000
_SHOWN: Final = frozenset(InvalidationKind) - {InvalidationKind.PROMPT, InvalidationKind.RADIUS}
"""Kinds whose values may stand in a log: the others hold words of prompts."""


class CacheStatus(NamedTuple):
    """How it is, as this process sees it. `routes` counts declared routes that cache, by mode; `l2` is `up`,
    `down` or `none`. Whatever is `suspended` serves nothing, because invalidations may have been missed."""

    routes: dict[CacheMode, int]
    by_default: CacheMode
    """Of models asked for by name."""
    l2: str
    suspended: bool
    opened: bool
    """Whether anything was to be cached since this process began."""
    heard_ago_s: float = 0.0
    """Since the log between instances was last known to its end."""

    @property
    def caches(self) -> bool:
        return self.by_default is not CacheMode.OFF or any(self.routes.values())

    @property
    def degraded(self) -> bool:
        """Whether something that is wanted does not work; requests are answered all the same."""
        deaf = self.suspended or self.heard_ago_s > HEARD_LATE_S
        return self.caches and self.opened and (deaf or self.l2 == "down")


class CacheFigures(NamedTuple):
    """Of this process since it began, and of the second tier it shares; None: that cannot be said now."""

    tiers: TierFacts
    store: StoreFacts | None
    vectors: IndexFacts | None
    outcomes: dict[str, int]
    similar: dict[str, int]
    beside: dict[str, int]


class KeptEntry(NamedTuple):
    """`tiers` names where it was found."""

    answer: CachedAnswer
    tiers: tuple[str, ...]


class WantedInvalidation(NamedTuple):
    """What somebody wants out. `tenant_id` None: the own one. `text` and `similarity` are for a radius."""

    kind: str
    value: str = ""
    tenant_id: str | None = None
    text: str = ""
    similarity: float | None = None


class Invalidated(NamedTuple):
    """In force here; everywhere that is not cut off from the others within `heard_by_all_within_s`.

    `matched` is how many known questions a radius covered just before; None: not counted.
    """

    rule: InvalidationRule
    position: Position
    heard_by_all_within_s: float
    matched: int | None = None


class Counted(NamedTuple):
    """Counts that others keep, read at the moment of asking."""

    outcomes: dict[str, int]
    beside: dict[str, int]
    opened: bool


class ManageCache:
    """Everybody with the permission within the own tenant; whoever manages tenants in any."""

    def __init__(
        self,
        runtime: Runtime,
        tiers: AnswerTiers,
        nearest: NearestQuestions | None,
        clock: Clock,
        counted: Callable[[], Counted],
    ) -> None:
        self._runtime = runtime
        self._tiers = tiers
        self._nearest = nearest
        self._clock = clock
        self._counted = counted
        self._store_answers = True

    def status(self) -> CacheStatus:
        """Never waits."""
        table, _ = self._runtime.snapshot
        routes: dict[CacheMode, int] = {}
        for route in table.routes.values():
            if route.cache.mode is not CacheMode.OFF:
                routes[route.cache.mode] = routes.get(route.cache.mode, 0) + 1
        facts = self._tiers.facts()
        down = facts.l2_down or not self._store_answers
        l2 = "none" if not self._tiers.has_second else "down" if down else "up"
        opened = self._counted().opened
        default, suspended = table.cache_by_default.mode, facts.suspended and opened
        return CacheStatus(routes, default, l2, suspended, opened, facts.heard_ago_s if opened else 0.0)

    async def figures(self) -> CacheFigures:
        """Of everybody together, so for whoever runs the installation. Bounded in time, never raises."""
        counted = self._counted()
        store = index = None
        if counted.opened:
            store, index = await asyncio.gather(self._tiers.store_facts(), self._index_facts())
            self._store_answers = store is not None
        similar = {} if self._nearest is None else dict(self._nearest.counts)
        return CacheFigures(self._tiers.facts(), store, index, counted.outcomes, similar, counted.beside)

    async def _index_facts(self) -> IndexFacts | None:
        if self._nearest is None:
            return None
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                return await self._nearest.index.facts()
        except (TimeoutError, StoreUnavailable):
            return None

    async def entry(self, by: Principal, key: str) -> KeptEntry:
        """Raises Forbidden, InvalidRequest, NotFound (also for another tenant's)."""
        check_tenant(by, by.tenant_id, READ)
        found = await self._tiers.inspect(read_key(key))
        answer = found.l1 or found.l2
        if answer is None or answer.tenant_id != by.tenant_id:
            raise NotFound("no answer of this tenant is kept under that key", param="key")
        tiers = tuple(name for name, one in (("l1", found.l1), ("l2", found.l2)) if one is not None)
        return KeptEntry(answer, tiers)

    def check_words(self, by: Principal, answer: CachedAnswer) -> None:
        """Whether somebody who may see that an answer is kept may also read what was asked and answered.

        Raises Forbidden: it may not call models, or not this one, so it could not have got the answer by
        asking; or its route keeps the answers of each user or key apart, and only those who may put answers
        there read them all.
        """
        if by.may(WRITE):
            return
        if not by.may(CALL):
            raise Forbidden(f"reading kept questions and answers takes {CALL} or {WRITE}", param="body")
        table, _ = self._runtime.snapshot
        target = table.by_id.get(answer.target_id)
        try:
            route = table.resolve(answer.route, by.tenant_id)
        except UnknownModel:
            route = None  # nobody knows any more whose it was
        if route is None or target is None or route.cache.scope is not CacheScope.TENANT:
            raise Forbidden(
                f"answers of route {answer.route} are not for all of the tenant; reading them takes {WRITE}",
                param="body",
            )
        if by.allowed_models is not None and not table.allowed(by.allowed_models, route) >> target.index & 1:
            raise Forbidden(f"this key may not call {target.id}, so not read its answers", param="body")

    async def invalidate(self, by: Principal, wanted: WantedInvalidation) -> Invalidated:
        """Nothing it names is served from here on when this returns.

        Raises Forbidden, InvalidRequest; StoreUnavailable: it may not be known to anybody, saying it again
        does no harm.
        """
        rule, matched = await self._rule(by, wanted)
        position = await self._tiers.invalidate(rule)
        shown = rule.value if rule.kind in _SHOWN else "…"
        log.info(
            "answers of tenant %r taken out by %s: %s %r", rule.tenant_id, by.key_id, rule.kind.value, shown
        )
        return Invalidated(rule._replace(position=position.number), position, HEARD_BY_ALL_WITHIN_S, matched)

    async def _rule(self, by: Principal, wanted: WantedInvalidation) -> tuple[InvalidationRule, int | None]:
        try:
            kind = InvalidationKind(wanted.kind)
        except ValueError:
            allowed = ", ".join(each.value for each in InvalidationKind)
            raise InvalidRequest(f"kind must be one of {allowed}", param="kind") from None
        tenant_id = by.tenant_id if wanted.tenant_id is None else wanted.tenant_id
        check_tenant(by, tenant_id, WRITE)
        if kind is InvalidationKind.EVERYTHING:
            if wanted.tenant_id is not None:
                raise InvalidRequest("everything is not one tenant's; use kind tenant", param="tenant_id")
            if not by.may("tenants.manage"):
                raise Forbidden("only those who manage tenants may invalidate everything (tenants.manage)")
            return InvalidationRule(kind, "", wanted.value), None
        if not tenant_id:
            raise InvalidRequest("tenant_id must not be empty", param="tenant_id")
        if kind is not InvalidationKind.RADIUS:
            if wanted.text or wanted.similarity is not None:
                raise InvalidRequest("text and similarity are for kind radius", param="text")
            check_name(kind, wanted.value)
            return InvalidationRule(kind, tenant_id, wanted.value), None
        if wanted.value:
            raise InvalidRequest("value: a radius takes text and similarity instead", param="value")
        radius = await self._radius(by, wanted)
        rule = InvalidationRule(kind, tenant_id, radius_value(radius))
        return rule, await self._within(tenant_id, radius)

    async def _radius(self, by: Principal, wanted: WantedInvalidation) -> Radius:
        similarity = wanted.similarity
        if similarity is None or not isfinite(similarity) or not 0 < similarity <= 1:
            raise InvalidRequest("similarity must be above 0 and at most 1", param="similarity")
        if not wanted.text.strip() or len(wanted.text) > TEXT_CHARS_MAX:
            raise InvalidRequest(f"text must have 1-{TEXT_CHARS_MAX} characters", param="text")
        if self._nearest is None:
            raise InvalidRequest("no questions are compared here, so there is no radius", param="kind")
        embedder = self._nearest.embedders.for_job(self._job(by))
        if embedder.count_tokens(wanted.text) > embedder.tokens_max:
            raise InvalidRequest(f"text is longer than the {embedder.tokens_max} tokens read", param="text")
        return Radius(similarity, await _embedded(embedder, wanted.text), self._nearest.embedder_id)

    async def _within(self, tenant_id: str, radius: Radius) -> int | None:
        assert self._nearest is not None
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                return len(await self._nearest.index.within(tenant_id, radius.vector, radius.similarity))
        except (TimeoutError, StoreUnavailable):
            return None

    def _job(self, by: Principal) -> Job:
        """In whose name a text is embedded."""
        now = self._clock.monotonic()
        return Job(
            request_id="",
            principal=by,
            request=LlmRequest(operation=Operation.EMBEDDINGS, dialect="", model="", body=b""),
            requirements=Requirements(),
            plan=NO_PLAN,
            attribution=Attribution(),
            started=now,
            started_at_us=int(self._clock.utc_now().timestamp() * 1e6),
            deadline=Deadline(now + EMBED_WITHIN_S),
        )


async def _embedded(embedder: Embedder, text: str) -> Vector:
    try:
        async with asyncio.timeout(EMBED_WITHIN_S):
            (vector,) = await embedder.embed([text])
    except TimeoutError:
        raise StoreUnavailable("the text could not be embedded in time") from None
    return vector


def read_key(text: str) -> bytes:
    """A key as it is shown. Raises InvalidRequest."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or len(text) != 2 * KEY_BYTES:
        raise InvalidRequest(f"key: {2 * KEY_BYTES} hexadecimal digits are expected", param="key")
    return key
