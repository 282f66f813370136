"""The log of deliveries in the database: what people see of them, sending again, and forgetting."""

from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exists, func, select, update

from adapters.sql.database import Database
from adapters.sql.ledger_tables import outbox
from adapters.sql.upserts import insert_into
from adapters.sql.webhook_rows import DELIVERY, among, delivery_of, delivery_values
from adapters.sql.webhook_tables import webhook_attempts, webhook_deliveries, webhook_endpoints
from application.ports.event_log import LoggedEvent
from application.ports.webhooks import DeliveryFigures, DeliveryLog, DeliveryUpkeep, LoggedAttempt
from application.webhooks.sharing import deliveries_of
from domain.webhooks.delivery import Attempt, Delivery, DeliveryState, Outcome
from domain.webhooks.endpoint import Endpoint, EndpointState
from domain.webhooks.envelope import event_id

_D: Final = webhook_deliveries.c
_A: Final = webhook_attempts.c
_IS_OPEN: Final = _D.settled_at_us.is_(None)


class SqlDeliveryLog(DeliveryLog):
    """`database` reaches as far as who asks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database.dialect, webhook_deliveries)
        self._again = insert.on_conflict_do_update(
            index_elements=["endpoint_id", "seq"],
            set_={
                name: insert.excluded[name] for name in ("state", "due_at_us", "attempts", "settled_at_us")
            },
            # One that is leased stays with its holder.
            where=_D.state != DeliveryState.LEASED.value,
        )

    async def page(
        self,
        tenant_id: str,
        endpoint_id: str | None,
        state: DeliveryState | None,
        *,
        before_seq: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        statement = select(*DELIVERY).where(_D.tenant_id == tenant_id)
        if endpoint_id is not None:
            statement = statement.where(_D.endpoint_id == endpoint_id)
        if state is not None:
            statement = statement.where(_D.state == state.value)
        if before_seq is not None:
            statement = statement.where(_D.seq < before_seq)
        statement = statement.order_by(_D.seq.desc(), _D.endpoint_id).limit(limit)
        return await self._database.read(
            lambda connection: [delivery_of(row) for row in connection.execute(statement)]
        )

    async def one(
        self, tenant_id: str, endpoint_id: str, seq: int
    ) -> tuple[Delivery, LoggedEvent | None, list[LoggedAttempt]] | None:
        found = select(*DELIVERY).where(
            _D.tenant_id == tenant_id, _D.endpoint_id == endpoint_id, _D.seq == seq
        )
        event = select(outbox).where(outbox.c.seq == seq, outbox.c.tenant_id == tenant_id)
        attempts = (
            select(webhook_attempts)
            .where(_A.tenant_id == tenant_id, _A.endpoint_id == endpoint_id, _A.seq == seq)
            .order_by(_A.fence)
        )

        def work(
            connection: Connection,
        ) -> tuple[Delivery, LoggedEvent | None, list[LoggedAttempt]] | None:
            row = connection.execute(found).one_or_none()
            if row is None:
                return None
            told = connection.execute(event).one_or_none()
            tried = [_attempt(each) for each in connection.execute(attempts)]
            return delivery_of(row), None if told is None else _event(told), tried

        return await self._database.read(work)

    async def replay(
        self, endpoint: Endpoint, seqs: tuple[int, int], now_us: int, *, dead_only: bool, limit: int
    ) -> tuple[int, int | None]:
        first, behind = seqs
        events = (
            select(outbox)
            .where(outbox.c.tenant_id == endpoint.tenant_id, outbox.c.seq >= first, outbox.c.seq < behind)
            .order_by(outbox.c.seq)
            .limit(limit)
        )
        if dead_only:
            mine = (_D.endpoint_id == endpoint.endpoint_id, _D.seq == outbox.c.seq)
            events = events.where(exists().where(*mine, _D.state == DeliveryState.DEAD.value))

        def work(connection: Connection) -> tuple[int, int | None]:
            found = [_event(row) for row in connection.execute(events)]
            rows = [
                delivery_values(delivery)
                for event in found
                for delivery in deliveries_of(event, [endpoint], now_us)
            ]
            if rows:
                connection.execute(self._again, rows)
            return len(rows), found[-1].seq + 1 if len(found) == limit else None

        return await self._database.write(work, alone=False)

    async def places(self, tenant_id: str, since_us: int, until_us: int) -> tuple[int, int] | None:
        statement = select(func.min(outbox.c.seq), func.max(outbox.c.seq)).where(
            outbox.c.tenant_id == tenant_id,
            outbox.c.created_at_us >= since_us,
            outbox.c.created_at_us < until_us,
        )
        first, last = await self._database.read(lambda connection: connection.execute(statement).one())
        return None if first is None else (int(first), int(last) + 1)

    async def oldest(self, tenant_id: str, first_seq: int, since_us: int, until_us: int) -> int | None:
        statement = select(func.min(outbox.c.created_at_us)).where(
            outbox.c.tenant_id == tenant_id,
            outbox.c.created_at_us >= since_us,
            outbox.c.created_at_us < until_us,
            outbox.c.seq >= first_seq,
        )
        return await self._database.read(lambda connection: connection.execute(statement).scalar())

    async def figures(self, now_us: int) -> DeliveryFigures:
        due = select(func.min(_D.due_at_us)).where(_IS_OPEN, _D.due_at_us <= now_us)
        active = select(webhook_endpoints.c.endpoint_id).where(
            webhook_endpoints.c.state == EndpointState.ACTIVE.value
        )
        due = due.where(_D.state == DeliveryState.WAITING.value, _D.endpoint_id.in_(active))
        disabled = webhook_endpoints.c.state == EndpointState.DISABLED.value

        def work(connection: Connection) -> DeliveryFigures:
            def count(table: Any, condition: Any) -> int:
                counting = select(func.count()).select_from(table).where(condition)
                return int(connection.execute(counting).scalar_one())

            return DeliveryFigures(
                open=count(webhook_deliveries, _IS_OPEN),
                dead=count(webhook_deliveries, _D.state == DeliveryState.DEAD.value),
                oldest_due_us=connection.execute(due).scalar(),
                disabled=count(webhook_endpoints, disabled),
            )

        return await self._database.read(work)


class SqlDeliveryUpkeep(DeliveryUpkeep):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire(self, before_us: int, now_us: int, *, limit: int = 500) -> int:
        old = (
            select(_D.endpoint_id, _D.seq)
            .where(_IS_OPEN, _D.state == DeliveryState.WAITING.value, _D.due_at_us < before_us)
            .order_by(_D.endpoint_id, _D.seq)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

        def work(connection: Connection) -> int:
            pairs = [(row.endpoint_id, row.seq) for row in connection.execute(old)]
            if pairs:
                connection.execute(
                    update(webhook_deliveries)
                    .where(among(connection, webhook_deliveries, pairs))
                    .values(
                        state=DeliveryState.DEAD.value,
                        settled_at_us=now_us,
                        last_outcome=Outcome.EXPIRED.value,
                    )
                )
            return len(pairs)

        return await self._database.write(work, alone=False)

    async def forget(self, before_us: int, *, limit: int = 500) -> int:
        settled = (
            select(_D.endpoint_id, _D.seq)
            .where(_D.settled_at_us < before_us)
            .order_by(_D.settled_at_us)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        # By the endpoints of its tenant: no index finds the deliveries of a place alone.
        still_needed = exists().where(
            webhook_endpoints.c.tenant_id == outbox.c.tenant_id,
            _D.endpoint_id == webhook_endpoints.c.endpoint_id,
            _D.seq == outbox.c.seq,
        )
        events = (
            select(outbox.c.key)
            .where(outbox.c.done_at_us < before_us, ~still_needed)
            .order_by(outbox.c.key)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

        def work(connection: Connection) -> int:
            pairs = [(row.endpoint_id, row.seq) for row in connection.execute(settled)]
            if pairs:
                for table in (webhook_deliveries, webhook_attempts):
                    connection.execute(delete(table).where(among(connection, table, pairs)))
            keys = connection.execute(events).scalars().all()
            if keys:
                connection.execute(delete(outbox).where(outbox.c.key.in_(keys)))
            return len(pairs) + len(keys)

        return await self._database.write(work, alone=False)


def _event(row: Row[Any]) -> LoggedEvent:
    return LoggedEvent(
        row.seq, event_id(row.key), row.topic, row.tenant_id, row.payload, row.created_at_us, row.trace
    )


def _attempt(row: Row[Any]) -> LoggedAttempt:
    attempt = Attempt(Outcome(row.outcome), row.at_us, row.duration_ms, row.status, None, row.detail)
    return LoggedAttempt(row.fence, attempt)
