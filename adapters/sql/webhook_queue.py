"""Deliveries on their way, in the database: what dispatchers of all instances work on together.

Rows are locked in one order, deliveries before endpoints, and on PostgreSQL what somebody else has locked is
passed over.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update

from adapters.sql.database import Database
from adapters.sql.event_log import give_places
from adapters.sql.ledger_statements import inserts
from adapters.sql.ledger_tables import outbox
from adapters.sql.upserts import insert_into
from adapters.sql.webhook_claims import DuePairs
from adapters.sql.webhook_endpoints import read_all
from adapters.sql.webhook_rows import (
    DELIVERY,
    US,
    among,
    count_up,
    delivery_of,
    delivery_values,
    endpoint_values,
)
from adapters.sql.webhook_tables import webhook_attempts, webhook_deliveries, webhook_endpoints
from application.ports.event_log import LoggedEvent
from application.ports.webhooks import Claimed, DeliveryQueue, FannedOut, Settlement
from application.webhooks.sharing import deliveries_of, in_turn
from application.webhooks.telling import disabled_event
from domain.webhooks.delivery import Delivery, DeliveryState
from domain.webhooks.endpoint import Endpoint, EndpointState
from domain.webhooks.envelope import event_id

Pair = tuple[str, int]
_D: Final = webhook_deliveries.c
_MINE: Final = (
    _D.endpoint_id == bindparam("b_endpoint_id"),
    _D.seq == bindparam("b_seq"),
    _D.fence == bindparam("b_fence"),
    _D.state == DeliveryState.LEASED.value,
)
_ANY_WAITING: Final = select(outbox.c.key).where(outbox.c.done_at_us.is_(None)).limit(1)
_SETTLED: Final = (
    update(webhook_deliveries)
    .where(*_MINE)
    .values(
        {
            name: bindparam(f"b_{name}_new")
            for name in ("state", "due_at_us", "attempts", "settled_at_us", "last_outcome", "last_status")
        }
    )
)
_RELEASED: Final = (
    update(webhook_deliveries)
    .where(*_MINE)
    .values(state=DeliveryState.WAITING.value, due_at_us=bindparam("b_due"))
)


class SqlDeliveryQueue(DeliveryQueue):
    def __init__(self, database: Database) -> None:
        self._database = database
        self._due = DuePairs(database.dialect)
        self._tell = inserts(database.dialect).outbox
        self._deliver = insert_into(database.dialect, webhook_deliveries).on_conflict_do_nothing()
        self._log = insert_into(database.dialect, webhook_attempts).on_conflict_do_nothing()

    async def fan_out(self, now_us: int, *, limit: int = 200) -> FannedOut:
        def work(connection: Connection) -> FannedOut:
            events = give_places(connection, now_us, limit)
            if not events:
                return FannedOut(0, 0)
            tenants = sorted({event.tenant_id for event in events})
            statement = select(webhook_endpoints).where(
                webhook_endpoints.c.tenant_id.in_(tenants),
                webhook_endpoints.c.state != EndpointState.DISABLED.value,
            )
            endpoints: dict[str, list[Endpoint]] = defaultdict(list)
            for endpoint in read_all(connection, statement):
                endpoints[endpoint.tenant_id].append(endpoint)
            rows = [
                delivery_values(delivery)
                for event in events
                for delivery in deliveries_of(event, endpoints[event.tenant_id], now_us)
            ]
            if rows:
                connection.execute(self._deliver, rows)
            return FannedOut(len(events), len(rows))

        # Most looks find nothing: they should wait for nobody, and nobody for them.
        if not await self._database.read(lambda connection: connection.execute(_ANY_WAITING).first()):
            return FannedOut(0, 0)
        return await self._database.write(work, alone=False)

    async def claim(
        self, rooms: Mapping[str, int], now_us: int, *, limit: int, lease_s: float
    ) -> list[Claimed]:
        until_us = now_us + round(lease_s * US)
        if limit < 1 or not rooms:
            return []

        def work(connection: Connection) -> list[Claimed]:
            pairs = in_turn(self._due.find(connection, rooms, now_us), rooms, limit)
            if not pairs:
                return []
            connection.execute(
                update(webhook_deliveries)
                .where(among(connection, webhook_deliveries, pairs))
                .values(state=DeliveryState.LEASED.value, fence=_D.fence + 1, due_at_us=until_us)
            )
            return _with_events(connection, pairs)

        if not self._due.locks and not await self._database.read(
            lambda connection: self._due.find(connection, rooms, now_us)
        ):
            return []
        return await self._database.write(work, alone=False)

    async def settle(self, settlements: Sequence[Settlement], now_us: int, disabled_after_s: float) -> int:
        def work(connection: Connection) -> int:
            held = _held(connection, [each.delivery for each in settlements])
            mine = [each for each in settlements if _held_as(each.delivery) in held]
            if not mine:
                return 0
            connection.execute(_SETTLED, [_settled_row(each.delivery) for each in mine])
            connection.execute(self._log, [_attempt_row(each) for each in mine])
            told = [event for each in mine for event in each.events]
            told += _keep_health(connection, mine, now_us, disabled_after_s)
            if told:
                connection.execute(self._tell, [{**event._asdict(), "done_at_us": None} for event in told])
            return len(mine)

        if not settlements:
            return 0
        return await self._database.write(work, alone=False)

    async def release(self, deliveries: Sequence[Delivery], due_at_us: int) -> None:
        rows = [{**_fenced(each), "b_due": due_at_us} for each in _sorted(deliveries)]
        if rows:
            await self._database.write(lambda connection: connection.execute(_RELEASED, rows), alone=False)


def _with_events(connection: Connection, pairs: Sequence[Pair]) -> list[Claimed]:
    statement = (
        select(*DELIVERY, outbox.c.key, outbox.c.payload, outbox.c.trace)
        .outerjoin_from(webhook_deliveries, outbox, outbox.c.seq == _D.seq)
        .where(among(connection, webhook_deliveries, pairs))
    )
    found, lost = {}, []
    for row in connection.execute(statement):
        delivery = delivery_of(row)
        if row.key is None:
            lost.append((row.endpoint_id, row.seq))
            continue
        event = LoggedEvent(
            row.seq, event_id(row.key), row.topic, row.tenant_id, row.payload, row.created_at_us, row.trace
        )
        found[row.endpoint_id, row.seq] = Claimed(delivery, event)
    if lost:
        # The event was removed for good, with the user it told of: there is nothing left to send.
        for table in (webhook_deliveries, webhook_attempts):
            connection.execute(delete(table).where(among(connection, table, lost)))
    return [found[pair] for pair in pairs if pair in found]


def _held(connection: Connection, deliveries: Sequence[Delivery]) -> set[tuple[str, int, int]]:
    """Those of which the fence still holds, locked. One delivery may come twice, with the fence of an attempt
    that lost it and with that of the next."""
    wanted = {_held_as(each) for each in deliveries}
    pairs = sorted({(endpoint_id, seq) for endpoint_id, seq, _ in wanted})
    statement = (
        select(_D.endpoint_id, _D.seq, _D.fence)
        .where(among(connection, webhook_deliveries, pairs), _D.state == DeliveryState.LEASED.value)
        .order_by(_D.endpoint_id, _D.seq)
        .with_for_update()
    )
    return wanted & {(row.endpoint_id, row.seq, row.fence) for row in connection.execute(statement)}


def _held_as(delivery: Delivery) -> tuple[str, int, int]:
    return delivery.endpoint_id, delivery.seq, delivery.fence


def _keep_health(
    connection: Connection, settlements: Sequence[Settlement], now_us: int, disabled_after_s: float
) -> list[Any]:
    """What changed of the endpoints, written; and what is told of it."""
    ids = sorted({each.delivery.endpoint_id for each in settlements})
    mine = select(webhook_endpoints).where(webhook_endpoints.c.endpoint_id.in_(ids))

    def after(endpoint: Endpoint) -> Endpoint:
        for each in settlements:
            if each.delivery.endpoint_id == endpoint.endpoint_id:
                endpoint = endpoint.after(each.attempt.outcome, each.attempt.at_us / US, disabled_after_s)
        return endpoint

    if all(after(endpoint) is endpoint for endpoint in read_all(connection, mine)):
        return []
    told, locked = [], mine.order_by(webhook_endpoints.c.endpoint_id).with_for_update()
    for endpoint in read_all(connection, locked):
        changed = after(endpoint)
        if changed is endpoint:
            continue
        values = endpoint_values(changed)
        if changed.state is not endpoint.state:
            values |= {"updated_at_us": now_us, "revision": endpoint.revision + 1}
            told.append(disabled_event(changed, now_us))
        connection.execute(
            update(webhook_endpoints)
            .where(webhook_endpoints.c.endpoint_id == endpoint.endpoint_id)
            .values(**values)
        )
    if told:
        count_up(connection)
    return told


def _settled_row(delivery: Delivery) -> dict[str, Any]:
    values = delivery_values(delivery)
    names = ("state", "due_at_us", "attempts", "settled_at_us", "last_outcome", "last_status")
    return {**_fenced(delivery), **{f"b_{name}_new": values[name] for name in names}}


def _fenced(delivery: Delivery) -> dict[str, Any]:
    return {"b_endpoint_id": delivery.endpoint_id, "b_seq": delivery.seq, "b_fence": delivery.fence}


def _attempt_row(settlement: Settlement) -> dict[str, Any]:
    delivery, attempt = settlement.delivery, settlement.attempt
    return {
        "endpoint_id": delivery.endpoint_id,
        "seq": delivery.seq,
        "fence": delivery.fence,
        "tenant_id": delivery.tenant_id,
        "at_us": attempt.at_us,
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome.value,
        "status": attempt.status,
        "detail": attempt.detail,
    }


def _sorted(deliveries: Sequence[Delivery]) -> list[Delivery]:
    return sorted(deliveries, key=lambda each: (each.endpoint_id, each.seq))
