"""What other instances tell of similar questions: their vectors, their labels, and what no longer counts."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from application.caching.hearing import Hearing
from application.caching.nearest import NearestQuestions
from application.caching.rule_format import INVALIDATE, read_rule, rule_data
from application.caching.similar_records import LABEL, VECTOR, ToldLabel, read_label, read_vector
from application.ports.vector_index import IndexedVector
from domain.caching.entry import NOWHERE, CachedAnswer, Position
from domain.caching.invalidation import InvalidationKind, InvalidationRule, read_radius
from domain.caching.vectors import cosine
from domain.errors import InvalidRequest, StoreUnavailable

GROUP_MAX: Final = 64
WAITING_MAX: Final = 400_000
"""Vectors heard at once when an instance starts; more are left out, and missed until they are told again."""


class ToldQuestions:
    """Takes what is heard at once, and carries it out in `work`. What this instance told itself is known."""

    def __init__(
        self,
        nearest: NearestQuestions,
        hearing: Hearing,
        invalidations: Hearing,
        *,
        index_is_shared: bool = False,
    ) -> None:
        """`index_is_shared`: what others keep in it is there already."""
        self._index_is_shared = index_is_shared
        self._invalidations = invalidations
        self.news = asyncio.Event()
        self.taken_up = NOWHERE
        """Labels up to here are known from an earlier process."""
        self._nearest = nearest
        self._vectors: deque[IndexedVector] = deque(maxlen=WAITING_MAX)
        self._radii: deque[tuple[Position, str, str]] = deque()
        """(position, tenant, radius) of invalidations to be carried out."""
        hearing.on(VECTOR, self._hear_vector)
        hearing.on(LABEL, self._hear_label)
        invalidations.on(INVALIDATE, self._hear_rule)

    @property
    def waiting(self) -> int:
        return len(self._vectors) + len(self._radii)

    async def work(self) -> None:
        """Carries out some of what was heard. Raises StoreUnavailable: that part is lost."""
        if self._radii:
            await self._take_out(*self._radii.popleft())
        if self._vectors:
            group = [self._vectors.popleft() for _ in range(min(GROUP_MAX, len(self._vectors)))]
            await self._add(group)

    async def _add(self, group: Sequence[IndexedVector]) -> None:
        """One that is no vector costs none of the others."""
        try:
            await self._nearest.index.add(group)
        except StoreUnavailable:
            for each in group:
                try:
                    await self._nearest.index.add([each])
                except StoreUnavailable:
                    self._nearest.counts["unreadable"] += 1

    def learn(self, label: ToldLabel) -> None:
        """Takes one comparison into account."""
        subject = label.tenant_id, label.route
        self._nearest.book.learn(subject, label.features, same=label.same, audit=label.served)
        self._nearest.counts["learned"] += 1

    def _hear_vector(self, _position: Position, data: bytes, own: bool) -> None:
        if own or self._index_is_shared:
            return
        try:
            told = read_vector(data)
        except InvalidRequest:
            self._nearest.counts["unreadable"] += 1
            return
        if told.embedder_id == self._nearest.embedder_id and not self.forgotten(told.vector, told.heard):
            self._vectors.append(told.vector)
            self.news.set()

    def _hear_label(self, position: Position, data: bytes, own: bool) -> None:
        if own:
            return
        try:
            label = read_label(data)
        except InvalidRequest:
            self._nearest.counts["unreadable"] += 1
            return
        known = self.taken_up
        if position.epoch == known.epoch and position.number <= known.number:
            return
        if label.embedder_id == self._nearest.embedder_id:
            self.learn(label)

    def _hear_rule(self, position: Position, data: bytes, _own: bool) -> None:
        try:
            rule = read_rule(data, position.number)
        except InvalidRequest:
            return  # the tiers take it for a rule about everything
        if rule.kind is not InvalidationKind.RADIUS:
            return
        try:
            read_radius(rule.value)
        except InvalidRequest:
            self._nearest.counts["unreadable"] += 1  # the tiers take it for a rule about the whole tenant
        else:
            self._radii.append((position, rule.tenant_id, rule.value))
            self.news.set()

    async def _take_out(self, position: Position, tenant_id: str, value: str) -> None:
        """Carries out an invalidation by radius: answers to questions near a vector are taken out."""
        radius = read_radius(value)
        if radius.embedder_id != self._nearest.embedder_id:
            return
        keys = await self._nearest.index.within(tenant_id, radius.vector, radius.similarity)
        await self._nearest.tiers.forbid(tenant_id, keys, position)
        await self._nearest.index.remove(keys)
        self._nearest.counts["taken out by radius"] += len(keys)

    async def take_out(self, entry: CachedAnswer) -> None:
        """An answer that was on its way when a radius around its question was invalidated: nobody's search
        for that radius found it, so all are told its key."""
        tiers = self._nearest.tiers
        await tiers.forbid(entry.tenant_id, [entry.key], tiers.heard)
        rule = InvalidationRule(InvalidationKind.ENTRY, entry.tenant_id, entry.key.hex())
        self._invalidations.tell(INVALIDATE, rule_data(rule))
        self._nearest.counts["taken out by radius"] += 1

    def forgotten(self, vector: IndexedVector, heard: int) -> bool:
        """Whether an invalidation by radius that its asker had not heard of covers it."""
        return any(
            radius.embedder_id == self._nearest.embedder_id
            and cosine(radius.vector, vector.vector) >= radius.similarity
            for radius in self._nearest.tiers.rules.radii(
                vector.tenant_id, Position(self._nearest.tiers.rules.since.epoch, heard)
            )
        )
