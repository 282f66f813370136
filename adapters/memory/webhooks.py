"""Webhook endpoints and deliveries in memory: for tests and simulations; gone with the process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.outbox import InMemoryOutbox
from application.ports.event_log import LoggedEvent
from application.ports.webhooks import (
    Claimed,
    DeliveryFigures,
    DeliveryLog,
    DeliveryQueue,
    DeliveryUpkeep,
    EndpointStore,
    FannedOut,
    LoggedAttempt,
    Settlement,
)
from application.webhooks.sharing import Pair, deliveries_of, in_turn
from application.webhooks.telling import disabled_event
from domain.errors import Conflict
from domain.webhooks.delivery import Delivery, DeliveryState
from domain.webhooks.endpoint import Endpoint, EndpointState

_US: Final = 1_000_000


class InMemoryEndpointStore(EndpointStore):
    """Reachable while its outbox is."""

    def __init__(self, outbox: InMemoryOutbox) -> None:
        self.outbox = outbox
        self.kept: dict[str, Endpoint] = {}
        self.deliveries: dict[Pair, Delivery] = {}
        self.changes = 0

    async def all(self, tenant_id: str | None = None) -> list[Endpoint]:
        self.outbox.check()
        return [each for _, each in sorted(self.kept.items()) if tenant_id in (None, each.tenant_id)]

    async def add(self, endpoint: Endpoint, *, endpoints_max: int) -> None:
        self.outbox.check()
        if endpoint.endpoint_id in self.kept:
            raise Conflict(f"the endpoint {endpoint.endpoint_id} is there already")
        made = [each for each in await self.all(endpoint.tenant_id) if not each.declared]
        if len(made) >= endpoints_max and not endpoint.declared:
            raise Conflict(f"this tenant has {endpoints_max} webhook endpoints; no more are kept")
        self.kept[endpoint.endpoint_id] = endpoint
        self.changes += 1

    async def change(self, endpoint: Endpoint, *, expected_revision: int) -> bool:
        self.outbox.check()
        self.changes += 1
        known = self.kept.get(endpoint.endpoint_id)
        if known is None or known.revision != expected_revision or known.tenant_id != endpoint.tenant_id:
            return False
        self.kept[endpoint.endpoint_id] = endpoint
        return True

    async def remove(self, tenant_id: str, endpoint_id: str) -> bool:
        self.outbox.check()
        self.changes += 1
        known = self.kept.get(endpoint_id)
        if known is None or known.tenant_id != tenant_id:
            return False
        del self.kept[endpoint_id]
        for pair in [pair for pair in self.deliveries if pair[0] == endpoint_id]:
            del self.deliveries[pair]
        return True

    async def generation(self) -> int:
        self.outbox.check()
        return self.changes


class InMemoryDeliveries(DeliveryQueue, DeliveryLog, DeliveryUpkeep):
    """Over endpoints and a log of events in memory."""

    def __init__(self, endpoints: InMemoryEndpointStore, log: InMemoryEventLog) -> None:
        self._endpoints = endpoints
        self._outbox = endpoints.outbox
        self._log = log
        self._attempts: dict[Pair, list[LoggedAttempt]] = {}

    @property
    def _all(self) -> dict[Pair, Delivery]:
        self._outbox.check()
        return self._endpoints.deliveries

    async def fan_out(self, now_us: int, *, limit: int = 200) -> FannedOut:
        kept, events, made = self._all, await self._log.give_places(now_us, limit), 0
        for event in events:
            mine = await self._endpoints.all(event.tenant_id)
            for delivery in deliveries_of(event, mine, now_us):
                kept[delivery.endpoint_id, delivery.seq] = delivery
                made += 1
        return FannedOut(len(events), made)

    async def claim(
        self, rooms: Mapping[str, int], now_us: int, *, limit: int, lease_s: float
    ) -> list[Claimed]:
        due: list[Pair] = []
        self._outbox.check()
        for endpoint_id in rooms:
            endpoint = self._endpoints.kept.get(endpoint_id)
            if endpoint is None or endpoint.state is not EndpointState.ACTIVE:
                continue
            mine = [each for pair, each in self._all.items() if pair[0] == endpoint_id and each.state.is_open]
            if endpoint.terms.ordered:
                if any(each.state is DeliveryState.LEASED and each.due_at_us > now_us for each in mine):
                    continue
                mine = sorted(mine, key=lambda each: each.seq)[:1]
            ready = [each for each in mine if each.may_be_leased(now_us)]
            ready.sort(key=lambda each: (each.due_at_us, each.seq))
            due += [(each.endpoint_id, each.seq) for each in ready]
        claimed = []
        for pair in in_turn(due, rooms, limit):
            event = self._log.at(pair[1])
            if event is None:
                del self._all[pair]
                continue
            self._all[pair] = leased = self._all[pair].leased(now_us, lease_s)
            claimed.append(Claimed(leased, event))
        return claimed

    async def settle(self, settlements: Sequence[Settlement], now_us: int, disabled_after_s: float) -> int:
        done = 0
        for delivery, attempt, events in settlements:
            pair = (delivery.endpoint_id, delivery.seq)
            held = self._all.get(pair)
            if held is None or not held.is_held(delivery.fence):
                continue
            done += 1
            self._all[pair] = delivery
            self._attempts.setdefault(pair, []).append(LoggedAttempt(delivery.fence, attempt))
            for event in events:
                self._outbox.put(event)
            endpoint = self._endpoints.kept[delivery.endpoint_id]
            changed = endpoint.after(attempt.outcome, attempt.at_us / _US, disabled_after_s)
            if changed.state is not endpoint.state:
                self._outbox.put(disabled_event(changed, now_us))
                changed = replace(changed, updated_at_us=now_us, revision=endpoint.revision + 1)
                self._endpoints.changes += 1
            self._endpoints.kept[delivery.endpoint_id] = changed
        return done

    async def release(self, deliveries: Sequence[Delivery], due_at_us: int) -> None:
        for each in deliveries:
            held = self._all.get((each.endpoint_id, each.seq))
            if held is not None and held.is_held(each.fence):
                self._all[each.endpoint_id, each.seq] = held.released(due_at_us)

    async def page(
        self,
        tenant_id: str,
        endpoint_id: str | None,
        state: DeliveryState | None,
        *,
        before_seq: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        found = [
            each
            for each in self._all.values()
            if each.tenant_id == tenant_id
            and endpoint_id in (None, each.endpoint_id)
            and state in (None, each.state)
            and (before_seq is None or each.seq < before_seq)
        ]
        return sorted(found, key=lambda each: (-each.seq, each.endpoint_id))[:limit]

    async def one(
        self, tenant_id: str, endpoint_id: str, seq: int
    ) -> tuple[Delivery, LoggedEvent | None, list[LoggedAttempt]] | None:
        found = self._all.get((endpoint_id, seq))
        if found is None or found.tenant_id != tenant_id:
            return None
        return found, self._log.at(seq), list(self._attempts.get((endpoint_id, seq), []))

    async def replay(
        self, endpoint: Endpoint, seqs: tuple[int, int], now_us: int, *, dead_only: bool, limit: int
    ) -> tuple[int, int | None]:
        done = looked = 0
        for seq in range(*seqs):
            event, known = self._log.at(seq), self._all.get((endpoint.endpoint_id, seq))
            if event is None or event.tenant_id != endpoint.tenant_id:
                continue
            if dead_only and (known is None or known.state is not DeliveryState.DEAD):
                continue
            if looked == limit:
                return done, seq
            looked += 1
            for made in deliveries_of(event, [endpoint], now_us):
                self._all[made.endpoint_id, seq] = made if known is None else known.replayed(now_us)
                done += 1
        return done, None

    async def places(self, tenant_id: str, since_us: int, until_us: int) -> tuple[int, int] | None:
        found = [
            event.seq
            for event in await self._log.after(0, tenant_id, limit=1_000_000)
            if since_us <= event.created_at_us < until_us
        ]
        return (min(found), max(found) + 1) if found else None

    async def oldest(self, tenant_id: str, first_seq: int, since_us: int, until_us: int) -> int | None:
        events = await self._log.after(first_seq - 1, tenant_id, limit=1_000_000)
        times = [each.created_at_us for each in events if since_us <= each.created_at_us < until_us]
        return min(times, default=None)

    async def figures(self, now_us: int) -> DeliveryFigures:
        every = list(self._all.values())
        due = [
            each.due_at_us
            for each in every
            if each.state is DeliveryState.WAITING
            and each.may_be_leased(now_us)
            and (owner := self._endpoints.kept.get(each.endpoint_id)) is not None
            and owner.state is EndpointState.ACTIVE
        ]
        return DeliveryFigures(
            open=sum(each.state.is_open for each in every),
            dead=sum(each.state is DeliveryState.DEAD for each in every),
            oldest_due_us=min(due, default=None),
            disabled=sum(each.state is EndpointState.DISABLED for each in self._endpoints.kept.values()),
        )

    async def expire(self, before_us: int, now_us: int, *, limit: int = 500) -> int:
        old = [
            (pair, each)
            for pair, each in self._all.items()
            if each.state is DeliveryState.WAITING and each.due_at_us < before_us
        ][:limit]
        for pair, each in old:
            self._all[pair] = each.expired(now_us)
        return len(old)

    async def forget(self, before_us: int, *, limit: int = 500) -> int:
        old = [
            pair
            for pair, each in self._all.items()
            if each.settled_at_us is not None and each.settled_at_us < before_us
        ][:limit]
        for pair in old:
            del self._all[pair]
            self._attempts.pop(pair, None)
        return len(old)
