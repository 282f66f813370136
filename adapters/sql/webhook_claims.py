"""Which deliveries are due: a few of each endpoint, the oldest of an ordered one."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Dialect, Select, bindparam, exists, select, true

from adapters.sql.webhook_tables import webhook_deliveries, webhook_endpoints
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.endpoint import CONCURRENCY_MAX, EndpointState

Pair = tuple[str, int]
ENDPOINTS_PER_STATEMENT: Final = 500
_D: Final = webhook_deliveries.c
_E: Final = webhook_endpoints.c
_NOW: Final[BindParameter[int]] = bindparam("now_us")
_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_ID: Final[BindParameter[str]] = bindparam("id")
_ROOM: Final[BindParameter[int]] = bindparam("room")
_IS_OPEN: Final = _D.settled_at_us.is_(None)
_SENT_TO: Final = (_E.endpoint_id.in_(_IDS), _E.state == EndpointState.ACTIVE.value)


class DuePairs:
    """Runs in the claiming transaction. On PostgreSQL what it finds is locked, and what others have locked is
    not found; on SQLite a writing transaction is alone."""

    def __init__(self, dialect: Dialect) -> None:
        self.locks = dialect.name == "postgresql"

    def find(self, connection: Connection, rooms: Mapping[str, int], now_us: int) -> list[Pair]:
        """Of each endpoint at most as many as it has room for, or a few more."""
        ids = [name for name, room in rooms.items() if room > 0]
        found: list[Pair] = []
        for start in range(0, len(ids), ENDPOINTS_PER_STATEMENT):
            part = ids[start : start + ENDPOINTS_PER_STATEMENT]
            if self.locks:
                most = max(rooms[name] for name in part)
                asked = {"ids": part, "now_us": now_us, "room": min(most, CONCURRENCY_MAX)}
                found += _pairs(connection, _LATERAL, asked)
                found += _pairs(connection, _LATERAL_HEADS, {"ids": part, "now_us": now_us})
            else:
                found += self._one_by_one(connection, part, rooms, now_us)
        return found

    @staticmethod
    def _one_by_one(
        connection: Connection, ids: list[str], rooms: Mapping[str, int], now_us: int
    ) -> list[Pair]:
        found: list[Pair] = []
        for endpoint_id, ordered in connection.execute(_ACTIVE, {"ids": ids}).all():
            if ordered:
                found += _pairs(connection, _HEAD, {"id": endpoint_id, "now_us": now_us})
            else:
                asked = {"id": endpoint_id, "now_us": now_us, "room": rooms[endpoint_id]}
                found += _pairs(connection, _FEW, asked)
        return found


def _pairs(connection: Connection, statement: Select[Any], asked: dict[str, Any]) -> list[Pair]:
    return [(row[0], row[1]) for row in connection.execute(statement, asked)]


_ACTIVE: Final = select(_E.endpoint_id, _E.ordered).where(*_SENT_TO)
_FEW: Final = (
    select(_D.endpoint_id, _D.seq)
    .where(_D.endpoint_id == _ID, _IS_OPEN, _D.due_at_us <= _NOW)
    .order_by(_D.due_at_us, _D.seq)
    .limit(_ROOM)
)
_oldest = (
    select(_D.endpoint_id, _D.seq, _D.due_at_us)
    .where(_D.endpoint_id == _ID, _IS_OPEN)
    .order_by(_D.seq)
    .limit(1)
    .subquery("oldest")
)
_busy = webhook_deliveries.alias("busy")
_UNDER_WAY: Final = (
    _busy.c.settled_at_us.is_(None),
    _busy.c.due_at_us > _NOW,
    _busy.c.state == DeliveryState.LEASED.value,
)
"""In somebody's hands: where older events are replayed, it need not be the oldest."""
_HEAD: Final = select(_oldest.c.endpoint_id, _oldest.c.seq).where(
    _oldest.c.due_at_us <= _NOW, ~exists().where(_busy.c.endpoint_id == _ID, *_UNDER_WAY)
)

_few = (
    select(_D.endpoint_id, _D.seq)
    .where(_D.endpoint_id == _E.endpoint_id, _IS_OPEN, _D.due_at_us <= _NOW)
    .order_by(_D.due_at_us, _D.seq)
    .limit(_ROOM)
    .with_for_update(skip_locked=True)
    .correlate(webhook_endpoints)
    .lateral("few")
)
_LATERAL: Final = (
    select(_few.c.endpoint_id, _few.c.seq)
    .select_from(webhook_endpoints.join(_few, true()))
    .where(*_SENT_TO, _E.ordered.is_(False))
)
_first = webhook_deliveries.alias("first")
_head = (
    select(_first.c.endpoint_id, _first.c.seq)
    .where(_first.c.endpoint_id == _E.endpoint_id, _first.c.settled_at_us.is_(None))
    .order_by(_first.c.seq)
    .limit(1)
    .correlate(webhook_endpoints)
    .lateral("head")
)
_LATERAL_HEADS: Final = (
    select(_D.endpoint_id, _D.seq)
    .select_from(
        webhook_endpoints.join(_head, true()).join(
            webhook_deliveries, (_D.endpoint_id == _head.c.endpoint_id) & (_D.seq == _head.c.seq)
        )
    )
    .where(
        *_SENT_TO,
        _E.ordered.is_(True),
        _IS_OPEN,
        _D.due_at_us <= _NOW,
        ~exists().where(_busy.c.endpoint_id == _E.endpoint_id, *_UNDER_WAY),
    )
    .with_for_update(skip_locked=True, of=webhook_deliveries)
)
"""The head is found without a lock, and locked then: passing a locked head over would find the one behind it.
Where it was settled in between, its row is looked at again and no longer fits."""
