"""Kept answers of this instance and of all: the first tier, the second, and what no longer counts.

An answer is served only if nothing this instance has heard speaks against it, whichever tier it comes from.
While the instance cannot hear the others for too long, neither tier is asked; that ends by itself.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from application.caching.fetching import L2_TIMEOUT_S, Fetching
from application.caching.hearing import Hearing
from application.caching.rule_format import INVALIDATE, read_rule, rule_data
from application.caching.write_behind import WriteBehind
from application.ports.answer_store import AnswerStore, StoreFacts
from application.ports.fast_answers import FastAnswers, FastFacts
from application.ports.system import Clock
from domain.caching.entry import NOWHERE, CachedAnswer, Position
from domain.caching.invalidation import InvalidationKind, InvalidationRule, RuleBook, check_rule
from domain.caching.policy import TTL_S_MAX
from domain.errors import InvalidRequest, StoreUnavailable

log = logging.getLogger("interchange")

FACTS_WITHIN_S: Final = 2.0
MARK_EVERY_S: Final = 86_400.0
FORGOTTEN_AFTER_S: Final = TTL_S_MAX + 2 * 86_400.0
"""Nothing asked before can still be kept anywhere, however long it was on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFacts:
    """Counts since the start of this instance. `not_allowed` were there, but something heard speaks against
    them; `l2_not_asked` were misses because the store was down."""

    fast: FastFacts
    l1_hits: int
    l1_misses: int
    l2_hits: int
    l2_misses: int
    l2_slow: int
    l2_failed: int
    l2_not_asked: int
    l2_joined: int
    l2_down: bool
    not_allowed: int
    written: int
    writes_waiting: int
    writes_waiting_bytes: int
    writes_dropped: int
    write_failures: int
    rules: int
    rules_collapsed: int
    suspended: bool
    heard: Position
    heard_ago_s: float


class Inspected(NamedTuple):
    """What is kept under a key, seen without touching it. `down`: the second tier did not answer in time."""

    l1: CachedAnswer | None
    l2: CachedAnswer | None
    down: bool = False


class AnswerTiers:
    """Registers itself with `hearing`. Counters are plain attributes; `facts` gathers them."""

    def __init__(
        self,
        fast: FastAnswers,
        store: AnswerStore | None,
        hearing: Hearing,
        rules: RuleBook,
        write_behind: WriteBehind | None,
        clock: Clock,
        *,
        l2_timeout_s: float = L2_TIMEOUT_S,
    ) -> None:
        """`write_behind` writes to `store`; both are None where there is no second tier."""
        self._fast = fast
        self._store = store
        self._hearing = hearing
        self._rules = rules
        self._write_behind = write_behind
        self._clock = clock
        self._l2_timeout_s = l2_timeout_s
        self._fetching = (
            None if store is None else Fetching(store, clock, self._arrived, timeout_s=l2_timeout_s)
        )
        self._marks: deque[tuple[float, Position]] = deque()
        self.l1_hits = 0
        self.l1_misses = 0
        self.not_allowed = 0
        self.unreadable_rules = 0
        self.erase_failures = 0
        hearing.on_lost(self._start_anew)
        hearing.on(INVALIDATE, self._hear_rule)

    @property
    def heard(self) -> Position:
        """How far this instance has heard; what a request that begins now is stamped with."""
        return self._hearing.position

    @property
    def suspended(self) -> bool:
        """Whether nothing is served, because invalidations may have been missed."""
        return self._hearing.suspended

    @property
    def rules(self) -> RuleBook:
        return self._rules

    def quiet_since(self, tenant_id: str, heard: Position) -> bool:
        """Whether nothing was invalidated for a tenant since somebody had heard so far."""
        return self._rules.quiet_since(tenant_id, heard)

    def still_counts(self, answer: CachedAnswer) -> bool:
        """Whether an answer that was found earlier may be served now."""
        return not self._hearing.suspended and self._rules.allows(answer)

    def at_hand(self, key: bytes) -> CachedAnswer | None:
        """From the first tier, whatever its freshness but never past `kept_until_us`. Never waits."""
        answer = self._fast.get(key)
        if answer is None or self._hearing.suspended:
            self.l1_misses += 1
            return None
        if not self._rules.allows(answer):
            self.not_allowed += 1
        elif answer.kept_until_us > self._now_us():
            self.l1_hits += 1
            return answer
        self._fast.drop(key)
        self.l1_misses += 1
        return None

    async def fetch(self, key: bytes) -> CachedAnswer | None:
        """From the second tier, which fills the first. Bounded in time; whatever goes wrong is a miss."""
        if self._fetching is None or self._write_behind is None or self._hearing.suspended:
            return None
        if self._hearing.position.epoch == NOWHERE.epoch:
            return None  # what was invalidated is not known at all yet
        waiting = self._write_behind.waits(key)
        if waiting is not None:
            return self._arrived(waiting)
        answer = await self._fetching.fetch(key)
        # Heard between another's reading and now, perhaps.
        return answer if answer is not None and self._rules.allows(answer) else None

    def keep(self, answer: CachedAnswer) -> bool:
        """Here at once, for all soon. Whether it is kept: something that was heard since it was asked may
        speak against it."""
        if not self._rules.allows(answer):
            self.not_allowed += 1
            return False
        kept = self._fast.put(answer)
        if self._write_behind is not None and answer.heard.epoch != NOWHERE.epoch:
            self._write_behind.put(answer)
            kept = True
        return kept

    async def forget(self, keys: Sequence[bytes]) -> None:
        """Takes answers out of both tiers as far as they can be reached; the first tiers of other instances
        keep theirs. Whoever must be sure calls `invalidate`. Never raises but on cancellation."""
        for key in keys:
            self._fast.drop(key)
        if self._store is None or self._write_behind is None:
            return
        self._write_behind.forget(keys)
        try:
            await self._store.erase(keys)
        except StoreUnavailable:
            self.erase_failures += 1

    async def forbid(self, tenant_id: str, keys: Sequence[bytes], position: Position) -> None:
        """What was found to be meant by a rule at a position: taken out, and not served when it comes back
        from where it was on its way. Never raises but on cancellation."""
        if position.epoch == self._rules.since.epoch:
            for key in keys:
                rule = InvalidationRule(InvalidationKind.ENTRY, tenant_id, key.hex(), position.number)
                self._rules.hear(rule)
        await self.forget(keys)

    async def invalidate(self, rule: InvalidationRule) -> Position:
        """In force here when this returns, and with all others within about half a second.

        Raises InvalidRequest: the rule says nothing. StoreUnavailable: it is not known whether others hear
        it; saying it again does no harm.
        """
        check_rule(rule)
        return await self._hearing.declare(INVALIDATE, rule_data(rule))

    async def inspect(self, key: bytes) -> Inspected:
        """What could be served from each tier. Counts nothing, fills nothing; bounded like `fetch`."""
        l1 = self._inspected(self._fast.get(key))
        if self._store is None or self._hearing.position.epoch == NOWHERE.epoch:
            return Inspected(l1, None)
        try:
            async with asyncio.timeout(self._l2_timeout_s):
                return Inspected(l1, self._inspected(await self._store.read(key)))
        except (TimeoutError, StoreUnavailable):
            return Inspected(l1, None, down=True)

    def _inspected(self, answer: CachedAnswer | None) -> CachedAnswer | None:
        if answer is None or self.suspended:
            return None
        counts = self._rules.allows(answer) and answer.kept_until_us > self._now_us()
        return answer if counts else None

    @property
    def has_second(self) -> bool:
        return self._store is not None

    async def store_facts(self) -> StoreFacts | None:
        """Of the second tier; None: there is none, or it does not answer in time."""
        if self._store is None:
            return None
        try:
            async with asyncio.timeout(FACTS_WITHIN_S):
                return await self._store.facts()
        except (TimeoutError, StoreUnavailable):
            return None

    def facts(self) -> TierFacts:
        fetching, writing = self._fetching, self._write_behind
        return TierFacts(
            fast=self._fast.facts(),
            l1_hits=self.l1_hits,
            l1_misses=self.l1_misses,
            l2_hits=0 if fetching is None else fetching.found,
            l2_misses=0 if fetching is None else fetching.missed,
            l2_slow=0 if fetching is None else fetching.slow,
            l2_failed=0 if fetching is None else fetching.failed,
            l2_not_asked=0 if fetching is None else fetching.not_asked,
            l2_joined=0 if fetching is None else fetching.joined,
            l2_down=fetching is not None and fetching.down,
            not_allowed=self.not_allowed,
            written=0 if writing is None else writing.written,
            writes_waiting=0 if writing is None else writing.waiting,
            writes_waiting_bytes=0 if writing is None else writing.waiting_bytes,
            writes_dropped=0 if writing is None else writing.dropped,
            write_failures=0 if writing is None else writing.failures,
            rules=len(self._rules),
            rules_collapsed=self._rules.collapsed,
            suspended=self.suspended,
            heard=self._hearing.position,
            heard_ago_s=self._hearing.heard_ago_s(self._clock.monotonic()),
        )

    async def aclose(self) -> None:
        """Ends reads that run. What waits to be written is `WriteBehind.flush`'s business."""
        if self._fetching is not None:
            await self._fetching.aclose()

    def _arrived(self, answer: CachedAnswer) -> CachedAnswer | None:
        if not self._rules.allows(answer):
            self.not_allowed += 1
            return None
        if answer.kept_until_us <= self._now_us():
            return None
        newer = self._fast.get(answer.key)
        if newer is not None and newer.made_at_us >= answer.made_at_us and self._rules.allows(newer):
            return newer  # kept while the older one was on its way
        self._fast.put(answer)
        return answer

    def _hear_rule(self, position: Position, data: bytes, _own: bool) -> None:
        try:
            rule = read_rule(data, position.number)
        except InvalidRequest:
            # Whatever a newer version meant to take out must not be served.
            self.unreadable_rules += 1
            log.warning("an invalidation cannot be read; everything asked before it is not used")
            rule = InvalidationRule(InvalidationKind.EVERYTHING, "", "", position.number)
        self._rules.hear(rule)
        self._mark(position)

    def _mark(self, position: Position) -> None:
        now_s = self._clock.monotonic()
        while self._marks and now_s - self._marks[0][0] > FORGOTTEN_AFTER_S:
            _, past = self._marks.popleft()
            if past.epoch == position.epoch:
                self._rules.forget_up_to(past.number)
        if not self._marks or now_s - self._marks[-1][0] > MARK_EVERY_S:
            self._marks.append((now_s, position))

    def _start_anew(self, since: Position) -> None:
        another = since.epoch != self._rules.since.epoch
        self._rules.reset(since)
        self._fast.clear()
        if another:
            self._marks.clear()
            if self._write_behind is not None:
                self._write_behind.clear()

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)
